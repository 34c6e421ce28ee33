#!/bin/sh
# ADD: a new membership. The password is `p+&=% é`: whatever it is, --data-urlencode sends it as it stands.
#
# Type:          sh examples/add.sh URL
# with the URL that `nats-userman serve` printed, or with that URL in $NATS_POSTBACK_URL:
#                sh examples/add.sh
#
# Comes back:
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
