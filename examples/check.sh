#!/bin/sh
# CHECK: whether a username is taken. OK: it is taken. NOTOK: it is free.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/check.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/check.sh
#
# Replies:
#   NOTOK|username "bob" is free on site 1
#   OK|username "bob" is taken on site 1
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=CHECK' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'username=bob' \
    "$url"
