#!/bin/sh
# TRIALTOFULL: a trial member became a full member. NATS may send it more than once.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/trialtofull.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/trialtofull.sh
#
# Replies:
#   OK|member 71 "bob" became a full member of site 1
#   OK|member 71 "bob" of site 1 was so already
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=TRIALTOFULL' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=71' \
    --data-urlencode 'username=bob' \
    --data-urlencode 'biller=NETBILLING' \
    "$url"
