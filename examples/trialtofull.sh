#!/bin/sh
# TRIALTOFULL: a trial became a full membership. NATS may say so more than once.
#
# Type:          sh examples/trialtofull.sh URL
# with the URL that `nats-userman serve` printed, or with that URL in $NATS_POSTBACK_URL:
#                sh examples/trialtofull.sh
#
# Comes back:
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
