# Counts words. An event is the input; over HTTP the text is the query, as in ?some+words.
case "$HTTP_X_FC_CONTROL_PATH" in
/initialize | /pre-stop | /pre-freeze)
	echo "$HTTP_X_FC_CONTROL_PATH" >&2
	exit 0
	;;
/http-invoke) text=$(printf %s "$QUERY_STRING" | tr + ' ') ;;
*) text=$(cat) ;;
esac

if [ -z "$text" ]; then
	echo '{"errorMessage": "the event is empty", "errorType": "EmptyEvent"}'
	exit 1
fi
words=$(printf '%s\n' "$text" | wc -w)
printf '{"words": %d, "requestId": "%s", "attempt": "%s"}\n' "$words" "$HTTP_X_FC_REQUEST_ID" "$HTTP_X_FC_RETRY_COUNT"
