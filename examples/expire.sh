#!/bin/sh
# EXPIRE: the membership ends on a date. A date in the past ends it at once.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/expire.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/expire.sh
#
# Replies:
#   OK|member 72 "alice" of site 1 will expire at 2099-12-31T00:00:00Z
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=EXPIRE' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=72' \
    --data-urlencode 'username=alice' \
    --data-urlencode 'expire=2099-12-31' \
    "$url"
