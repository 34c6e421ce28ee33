<?php
$curl = curl_init();
$data = array(
    'type' => 'instantupgrade',
    'memberid' => '342',
    'session' => 'd2877c3303d01165f780f63bd9da3620',
);
$url = getenv('NATS_URL') . '/api/member/authstring?' . http_build_query($data);
$headers = array(
    'api-key: 44b5498dbcb481a0d00b404c0169af62',
    'api-username: tmm1phrvezsbu',
);
curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
curl_setopt($curl, CURLOPT_URL, $url);
var_dump(json_decode(curl_exec($curl), true));
