#!/bin/sh
# ADD: a new membership. --data-urlencode sends any password unchanged, here `p+&=% é`.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/add.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/add.sh
#
# Replies:
#   OK|member 71 "bob" added to site 1
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=ADD' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=71' \
    --data-urlencode 'username=bob' \
    --data-urlencode 'password=p+&=% é' \
    --data-urlencode 'email=bob@example.com' \
    --data-urlencode 'trial=1' \
    --data-urlencode 'biller=NETBILLING' \
    "$url"
