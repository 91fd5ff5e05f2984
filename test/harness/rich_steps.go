package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// RegistryProgram is version 3 of Distribution, as Install wants it.
const RegistryProgram = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"

func richSteps() []step {
	const install = "apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "
	const tidy = "\napt-get clean"
	return []step{
		{name: "base", says: "debootstrap --variant=minbase bookworm"},
		{name: "languages", says: "RUN apt-get install LANGUAGES", script: `
# As images of Debian do: a crash leaves no image anyway.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io
for suite in bookworm bookworm-updates; do echo "deb http://deb.debian.org/debian $suite main"; done >/etc/apt/sources.list
echo 'deb http://deb.debian.org/debian-security bookworm-security main' >>/etc/apt/sources.list
apt-get -qq update
` + install + `python3 ruby nodejs openjdk-17-jre-headless r-base-core php-cli` + tidy},
		{name: "libraries", says: "RUN apt-get install LIBRARIES", script: install + `npm composer \
  python3-numpy python3-requests python3-django python3-flask python3-sqlalchemy python3-cryptography python3-lxml python3-boto3 \
  ruby-sinatra ruby-nokogiri ruby-rspec php-symfony-console php-twig php-monolog r-cran-jsonlite r-cran-rcpp \
  libspring-core-java libjackson2-databind-java liblog4j2-java libcommons-io-java libguava-java` + tidy},
		{name: "programs", says: "COPY bin /opt/bin", programs: goPrograms},
		{name: "application", says: "RUN /build", script: application},
		{name: "changes", says: "RUN apt-get upgrade && /cleanup", script: `
apt-get -qq -y -o Dpkg::Use-Pty=0 upgrade
apt-get -qq -y -o Dpkg::Use-Pty=0 purge python3-flask ruby-rspec r-cran-rcpp libcommons-io-java` + tidy + `
rm -f /var/lib/apt/lists/*_* /var/cache/apt/*.bin
cd /opt/app
# A package in another version, one that became a link, and one without its manifest.
rm -rf node_modules/glob && mkdir node_modules/glob && echo '{"name": "glob", "version": "99.0.0"}' >node_modules/glob/package.json
mkdir -p /opt/shared && mv node_modules/semver /opt/shared/semver && ln -s /opt/shared/semver node_modules/semver
echo 'not JSON' >node_modules/debug/package.json
# All of a folder but the folder.
rm -rf lib && mkdir lib && cp -L /usr/share/java/jackson-core.jar lib/core.jar
rm -rf venv/lib/python3.11/site-packages/django venv/lib/python3.11/site-packages/Django-*
# A program that is now a script.
printf '#!/bin/sh\nexec /opt/bin/broker\n' >/opt/bin/registry
`},
	}
}

// goPrograms puts one program of the module proxy into the tree twice, and two
// of the project's own.
func goPrograms(tb testing.TB, to string) {
	tb.Helper()
	bin := filepath.Join(to, "opt", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		tb.Fatalf("folder of programs: %v", err)
	}
	for _, name := range []string{"registry", "distribution"} {
		content, err := os.ReadFile(Install(tb, RegistryProgram))
		if err == nil {
			err = os.WriteFile(filepath.Join(bin, name), content, 0o755)
		}
		if err != nil {
			tb.Fatalf("copy program: %v", err)
		}
	}
	top := Top(tb)
	compile(tb, top, "build", "-trimpath", "-o", filepath.Join(bin, "broker"), "./test/standin/nats")
	compile(tb, top, "build", "-trimpath", "-o", filepath.Join(bin, "due"), "./services/cmd/cron")
}

// application installs an application's own packages, which no package of
// Debian owns. There is no network but Debian's, so they are copies.
const application = `
mkdir -p /opt/app/node_modules /opt/app/venv/lib/python3.11/site-packages /opt/app/lib
cd /opt/app
cp -aL /usr/share/nodejs/. node_modules/
cp -a /usr/lib/python3/dist-packages/. venv/lib/python3.11/site-packages/
cp -L /usr/share/java/jackson-*.jar /usr/share/java/log4j-*.jar /usr/share/java/guava.jar lib/
mkdir -p /tmp/war/WEB-INF/lib && cp lib/*.jar /tmp/war/WEB-INF/lib/
(cd /tmp/war && python3 -m zipfile -c /opt/app/app.war WEB-INF)
mkdir /tmp/gem && cd /tmp/gem && mkdir lib && echo 'module Quay; end' >lib/quay.rb
cat >quay.gemspec <<'END'
Gem::Specification.new do |s|
  s.name, s.version, s.summary, s.authors, s.files = "quay", "1.2.3", "a quay", ["nobody"], ["lib/quay.rb"]
  s.homepage, s.license = "https://example.org/quay", "MIT"
end
END
gem build --silent quay.gemspec && gem install --silent --local --no-document quay-1.2.3.gem
mkdir -p /tmp/php/pier /opt/app/php && cd /opt/app/php
echo '{"name": "harbour/pier", "version": "2.1.0", "license": "MIT"}' >/tmp/php/pier/composer.json
cat >composer.json <<'END'
{"name": "harbour/office", "require": {"harbour/pier": "2.1.0"}, "repositories": [
  {"packagist.org": false}, {"type": "path", "url": "/tmp/php/pier", "options": {"symlink": false}}]}
END
COMPOSER_ALLOW_SUPERUSER=1 composer install --quiet --no-interaction --no-plugins
rm -rf /tmp/war /tmp/gem /tmp/php /root/.cache /root/.composer /root/.config
`
