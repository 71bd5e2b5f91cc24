// How a function is run: its settings, layers, a custom runtime, instances that are kept ready, the cap of the others.
'use strict';

const { equal, pick, refused, waitFor } = require('./harness');
const { FUNCTION, SERVICE } = require('./setting');
const { zip } = require('./zip');

const SERVER = `#!/bin/sh
exec python3 -c '
import http.server, sys
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[1].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
http.server.HTTPServer(("0.0.0.0", 8099), Server).serve_forever()
' "$1"
`;

async function run(client) {
  await layers(client);
  await customRuntime(client);
  await provision(client);
  await onDemand(client);
}

async function layers(client) {
  const module = Buffer.from('module.exports = "of a layer";');
  const code = { zipFile: zip({ 'nodejs/node_modules/shared.js': module }).toString('base64') };
  const { data: layer } = await client.publishLayerVersion('shared', { code, compatibleRuntime: ['nodejs20'] });
  equal('publish layer: answers with it', pick(layer, ['layerName', 'version', 'compatibleRuntime']),
    { layerName: 'shared', version: 1, compatibleRuntime: ['nodejs20'] });
  equal('get layer version', (await client.getLayerVersion('shared', 1)).data.arn, layer.arn);
  equal('get layer version by its resource name', (await client.getLayerVersionByArn(layer.arn)).data.version, 1);
  equal('list layers', (await client.listLayers()).data.layers.map((found) => found.layerName), ['shared']);
  equal('list layer versions', (await client.listLayerVersions('shared')).data.layers.map((found) => found.version), [1]);
  const zipFile = zip({ 'index.js': Buffer.from('exports.handler = async () => require("shared");') }).toString('base64');
  const settings = { functionName: 'layered', runtime: 'nodejs20', handler: 'index.handler', layers: [layer.arn] };
  equal('create function: its layers', (await client.createFunction(SERVICE, { ...settings, code: { zipFile } })).data.layers,
    [layer.arn]);
  equal('a module of a layer is found', (await client.invokeFunction(SERVICE, 'layered', '')).data, 'of a layer');
  await client.deleteLayerVersion('shared', 1);
  await refused('get the deleted only version of a layer', 404, 'LayerNotFound', () => client.getLayerVersion('shared', 1));
  await client.deleteFunction(SERVICE, 'layered');
}

async function customRuntime(client) {
  const settings = {
    functionName: 'server', runtime: 'custom', handler: 'of.no.meaning', caPort: 8099, instanceConcurrency: 20,
    memorySize: 256, diskSize: 512, cpu: 0.5, initializer: 'initialize', initializationTimeout: 20,
    customRuntimeConfig: { command: ['sh'], args: ['/code/server.sh', 'served'], port: 8099 },
    customHealthCheckConfig: {
      httpGetUrl: '/up', initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 3,
      successThreshold: 1,
    },
    instanceLifecycleConfig: {
      preStop: { handler: 'stop', timeout: 5 }, preFreeze: { handler: 'freeze', timeout: 5 },
    },
  };
  const zipFile = zip({ 'server.sh': Buffer.from(SERVER) }).toString('base64');
  const { data: made } = await client.createFunction(SERVICE, { ...settings, code: { zipFile } });
  equal('create function: a custom runtime with its settings', pick(made, Object.keys(settings)), settings);
  equal('get function: the same', pick((await client.getFunction(SERVICE, 'server')).data, Object.keys(settings)), settings);
  equal('a custom runtime answers', (await client.invokeFunction(SERVICE, 'server', 'x')).data, 'served');
  const { data: changed } = await client.updateFunction(SERVICE, 'server',
    { customRuntimeConfig: { command: ['sh'], args: ['/code/server.sh', 'again'] } });
  equal('update function: keeps the rest', pick(changed, ['caPort', 'cpu', 'instanceLifecycleConfig']),
    pick(settings, ['caPort', 'cpu', 'instanceLifecycleConfig']));
  equal('update function: the new command runs', (await client.invokeFunction(SERVICE, 'server', 'x')).data, 'again');
  await client.deleteFunction(SERVICE, 'server');
}

async function provision(client) {
  const get = () => client.getProvisionConfig(SERVICE, FUNCTION, 'LATEST');
  await refused('get a provision config that was never put', 404, 'ProvisionConfigNotFound', get);
  const { data: put } = await client.putProvisionConfig(SERVICE, FUNCTION, 'LATEST', { target: 1 });
  equal('put provision config', put.target, 1);
  await waitFor('an instance', async () => ((await get()).data.current === 1 ? true : undefined));
  const { data: listed } = await client.listProvisionConfigs({ serviceName: SERVICE });
  equal('list provision configs', listed.provisionConfigs.map((config) => [config.target, config.current]), [[1, 1]]);
  await refused('delete a function with provisioned instances', 409, 'ProvisionConfigExist',
    () => client.deleteFunction(SERVICE, FUNCTION));
  await client.putProvisionConfig(SERVICE, FUNCTION, 'LATEST', { target: 0 });
  await refused('put provision config: target 0 takes it away', 404, 'ProvisionConfigNotFound', get);
}

async function onDemand(client) {
  const get = () => client.getOnDemandConfig(SERVICE, FUNCTION, 'LATEST');
  await refused('get an on-demand config that was never put', 404, 'OnDemandConfigNotFound', get);
  await client.putOnDemandConfig(SERVICE, FUNCTION, 'LATEST', { maximumInstanceCount: 0 });
  await refused('no instance is allowed', 429, 'ResourceExhausted', () => client.invokeFunction(SERVICE, FUNCTION, 'a'));
  await client.putOnDemandConfig(SERVICE, FUNCTION, 'LATEST', { maximumInstanceCount: 2 });
  equal('get on-demand config', (await get()).data.maximumInstanceCount, 2);
  const { data: listed } = await client.listOnDemandConfigs({ prefix: `services/${SERVICE}` });
  equal('list on-demand configs', listed.configs.map((config) => config.maximumInstanceCount), [2]);
  equal('an instance is allowed', (await client.invokeFunction(SERVICE, FUNCTION, 'a')).data, 'a');
  await client.deleteOnDemandConfig(SERVICE, FUNCTION, 'LATEST');
  await refused('get a deleted on-demand config', 404, 'OnDemandConfigNotFound', get);
}

module.exports = { run };
