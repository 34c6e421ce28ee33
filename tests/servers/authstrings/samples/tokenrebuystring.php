<?php
$curl = curl_init();
$data = array(
    'username' => 'testakovsky2',
    'siteid' => 1,
);
$url = getenv('NATS_URL') . '/api/member/tokenrebuystring?' . http_build_query($data);
$headers = array(
    'api-key: 44b5498dbcb481a0d00b404c0169af62',
    'api-username: tmm1phrvezsbu',
);
curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
curl_setopt($curl, CURLOPT_URL, $url);
var_dump(json_decode(curl_exec($curl), true));
