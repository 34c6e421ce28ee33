<?php
// Posts as NATS may: php curl.php WAY URL, the parameters as JSON on standard input, their values in base64 so that any byte
// can be one. Prints the status, a space, and the reply.
//
//   array     CURLOPT_POSTFIELDS with an array: multipart/form-data
//   string    CURLOPT_POSTFIELDS with http_build_query: urlencoded
//   get       a query string
//   http10    as string, over HTTP/1.0
//   stream    file_get_contents with a stream context: no curl, HTTP/1.1 asked for and the connection closed
//   stream10  the same with the wrapper's own HTTP/1.0
[, $way, $url] = $argv;
$fields = array_map('base64_decode', json_decode(stream_get_contents(STDIN), true, 3, JSON_THROW_ON_ERROR));

if (str_starts_with($way, 'stream')) {
    $reply = file_get_contents($url, false, stream_context_create(['http' => [
        'method' => 'POST',
        'protocol_version' => $way === 'stream' ? 1.1 : 1.0,
        'header' => "Content-Type: application/x-www-form-urlencoded\r\n" . ($way === 'stream' ? "Connection: close\r\n" : ''),
        'content' => http_build_query($fields),
        'ignore_errors' => true,
    ]]));
    echo explode(' ', $http_response_header[0])[1], ' ', $reply;
    exit(0);
}
$curl = curl_init($way === 'get' ? $url . '?' . http_build_query($fields) : $url);
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
if ($way === 'array') {
    curl_setopt($curl, CURLOPT_POSTFIELDS, $fields);
} elseif ($way !== 'get') {
    curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($fields));
}
if ($way === 'http10') {
    curl_setopt($curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_0);
}
$reply = curl_exec($curl);
if ($reply === false) {
    fwrite(STDERR, curl_error($curl) . "\n");
    exit(1);
}
echo curl_getinfo($curl, CURLINFO_RESPONSE_CODE), ' ', $reply;
