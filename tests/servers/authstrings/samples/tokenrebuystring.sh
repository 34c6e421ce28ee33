curl -s -X GET "$NATS_URL/api/member/tokenrebuystring?username=testakovsky2&siteid=1" -H "api-key: 44b5498dbcb481a0d00b404c0169af62" -H "api-username: tmm1phrvezsbu"
