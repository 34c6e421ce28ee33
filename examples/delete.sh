#!/bin/sh
# DELETE: the member may not log in any more.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/delete.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/delete.sh
#
# Replies:
#   OK|member 71 "rob" removed from site 1
#   OK|member 71 is not a member of site 1 now, nothing to remove
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=DELETE' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=71' \
    --data-urlencode 'username=rob' \
    "$url"
