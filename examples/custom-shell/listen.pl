# Serves HTTP/1.1 and runs a command for each request: the body is its input, what it prints is the answer, and a status
# other than 0 is a failure. The command finds the request in the variables of CGI (RFC 3875) and each header in HTTP_*.
# Only modules of perl-base are used.
use strict;
use warnings;
use IO::Socket::INET;

my @command = @ARGV;
my $listener = IO::Socket::INET->new(
    LocalAddr => '0.0.0.0', LocalPort => $ENV{FC_SERVER_PORT} // 9000, Listen => 64, ReuseAddr => 1,
) or die "cannot listen: $@\n";

# One process per connection; the kernel reaps those that end.
$SIG{CHLD} = 'IGNORE';
while (1) {
    my $connection = $listener->accept or next;
    my $child = fork // die "cannot fork: $!\n";
    if ($child == 0) {
        $SIG{CHLD} = 'DEFAULT';
        1 while serve($connection);
        exit 0;
    }
}

# Serves one request; false at the end of the connection.
sub serve {
    my ($connection) = @_;
    my $line = <$connection> // return 0;
    my ($method, $target) = split / /, $line;
    my ($path, $query) = split /\?/, $target, 2;
    local %ENV = (%ENV, REQUEST_METHOD => $method, PATH_INFO => $path, QUERY_STRING => $query // '');
    my $length = 0;
    while (defined($line = <$connection>) && $line =~ /^([^:]+):\s*(.*?)\r?$/) {
        my ($name, $value) = (uc $1, $2);
        $length = $value if $name eq 'CONTENT-LENGTH';
        $name =~ tr/-/_/;
        $ENV{"HTTP_$name"} = $value;
    }
    my $body = '';
    while (length $body < $length) {
        read($connection, $body, $length - length $body, length $body) or return 0;
    }
    my ($succeeded, $answer) = run($body);
    # By this header the platform knows that the event has failed, which a status alone does not tell.
    my $head = $succeeded ? '200 OK' : "404 Not Found\r\nx-fc-status: 404";
    print $connection "HTTP/1.1 $head\r\ncontent-length: ", length $answer, "\r\n\r\n", $answer;
    $connection->flush;
    return 1;
}

# Runs the command; whether it succeeded, and what it printed.
sub run {
    my ($body) = @_;
    open my $input, '+>', undef or die "no temporary file: $!\n";
    print $input $body;
    $input->flush;
    seek $input, 0, 0;
    pipe my $reader, my $writer or die "no pipe: $!\n";
    my $child = fork // die "cannot fork: $!\n";
    if ($child == 0) {
        open STDIN, '<&', $input;
        open STDOUT, '>&', $writer;
        exec @command or exit 127;
    }
    close $writer;
    my $answer = do { local $/; <$reader> } // '';
    waitpid $child, 0;
    return ($? == 0, $answer);
}
