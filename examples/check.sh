#!/bin/sh
# CHECK: is this username taken? OK means that it is, NOTOK that it is free.
#
# Type:          sh examples/check.sh URL
# with the URL that `nats-userman serve` printed, or with that URL in $NATS_POSTBACK_URL:
#                sh examples/check.sh
#
# Comes back:
#   NOTOK|username "bob" is free on site 1
#   OK|username "bob" is taken on site 1
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=CHECK' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'username=bob' \
    "$url"
