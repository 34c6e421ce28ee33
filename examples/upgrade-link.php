<?php
// A link to UpgradePlus for the trial member who opens this page.
//
// It reads these variables from the environment of PHP (php-fpm: env[AUTHSTRING_URL] = ...):
// AUTHSTRING_URL, as in http://127.0.0.1:8080; AUTHSTRING_API_USERNAME and AUTHSTRING_API_KEY;
// JOIN_URL, NATS's domain for members.
//
// The web server sets the name of the member, as examples/members-nginx.conf and members.Caddyfile
// do. Do not read HTTP_X_MEMBER_NAME: unless the web server sets it, a visitor may have sent it.
$username = rawurldecode($_SERVER['MEMBER_NAME'] ?? '');
$site = $_SERVER['MEMBER_SITE'] ?? '';
if (($_SERVER['MEMBER_TRIAL'] ?? '') !== '1') {
    exit;
}

$ask = ['type' => 'instantupgrade', 'username' => $username, 'siteid' => $site];
$url = rtrim(getenv('AUTHSTRING_URL'), '/') . '/api/member/authstring?' . http_build_query($ask);
$curl = curl_init($url);
curl_setopt_array($curl, [
    CURLOPT_HTTPHEADER => [
        'api-username: ' . getenv('AUTHSTRING_API_USERNAME'),
        'api-key: ' . getenv('AUTHSTRING_API_KEY'),
    ],
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 12, // more than --nats-seconds
]);
$answer = json_decode((string) curl_exec($curl), true);
if (!isset($answer['result'])) {
    $status = 'status ' . curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    error_log('no authstring: ' . ($answer['error'] ?? (curl_error($curl) ?: $status)));
}
$string = $answer['result'] ?? '';

if ($string !== '') {
    $link = ['site' => $site, 'username' => $username, 'authstring' => $string];
    $url = getenv('JOIN_URL') . '/signup/upgradeplus.php?' . http_build_query($link);
    echo '<p><a href="', htmlspecialchars($url), '">Become a full member</a></p>', "\n";
} else {
    echo '<p>Upgrades are not possible just now.</p>', "\n";
}
