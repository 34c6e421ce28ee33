<?php
// What PHP reads of a request, for `php -S`: each field of $_REQUEST as [name, value] in hexadecimal digits, null for an array.
$fields = [];
foreach ($_REQUEST as $name => $value) {
    $fields[] = [bin2hex((string) $name), is_string($value) ? bin2hex($value) : null];
}
header('Content-Type: application/json');
echo json_encode($fields);
