#!/bin/sh
# ACTIVATE: a former member comes back. Without a password in the postback, the old one is valid
# again.
#
# Run it with the URL that `nats-userman serve` printed:
#   sh examples/activate.sh URL
# or with that URL in the variable NATS_POSTBACK_URL:
#   sh examples/activate.sh
#
# Replies:
#   OK|member 71 "rob" activated on site 1
set -eu
url=${1:-${NATS_POSTBACK_URL:?give the URL, or set NATS_POSTBACK_URL}}

curl -sS -w '\n' \
    --data-urlencode 'action=ACTIVATE' \
    --data-urlencode 'siteid=1' \
    --data-urlencode 'memberid=71' \
    --data-urlencode 'username=rob' \
    "$url"
