foreach (glob("/opt/*/*/vendor/composer/installed.php") as $file) {
  $installed = require $file;
  foreach ($installed["versions"] as $name => $package) {
    if ($name != $installed["root"]["name"]) {
      echo implode("\t", ["composer", $name, $package["pretty_version"], ltrim(dirname($file), "/") . "/installed.json"]), "\n";
    }
  }
}
