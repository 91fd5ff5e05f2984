package extract

import (
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor"
)

// mavenName is group:artifact. An archive that Maven built says both itself, in
// its pom.properties. Of others the library guesses the group from a manifest
// that was not made to tell it, or takes the artifact's name; a wrong group is
// a package that no advisory names.
func mavenName(from *extractor.Package) string {
	for _, source := range from.Location.Related {
		if source.PathOrEmpty() != "" && path.Base(source.PathOrEmpty()) == "pom.properties" {
			return from.Name
		}
	}
	group, artifact, ok := strings.Cut(from.Name, ":")
	if !ok {
		return from.Name
	}
	if known := mavenGroup(artifact); known != "" {
		return known + ":" + artifact
	}
	// Names of OSGi bundles are the group with the artifact behind it.
	return strings.TrimSuffix(group, "."+artifact) + ":" + artifact
}

// mavenGroup is the group of an artifact of a well-known name, whose archives
// come without a pom.properties: most of those that Gradle or Ant build. Empty:
// the name is not known.
func mavenGroup(artifact string) string {
	for _, known := range mavenGroups() {
		for _, name := range known.names {
			prefix, family := strings.CutSuffix(name, "*")
			if artifact == name || (family && strings.HasPrefix(artifact, prefix)) {
				return known.group
			}
		}
	}
	return ""
}

// mavenArtifacts are names of one group; * stands for any rest.
type mavenArtifacts struct {
	group string
	names []string
}

// mavenGroups are well-known groups. The first that fits counts.
func mavenGroups() []mavenArtifacts {
	return []mavenArtifacts{
		{"org.springframework", []string{
			"spring-aop", "spring-aspects", "spring-beans", "spring-context", "spring-context-*", "spring-core", "spring-expression",
			"spring-instrument", "spring-jcl", "spring-jdbc", "spring-jms", "spring-messaging", "spring-orm", "spring-oxm",
			"spring-r2dbc", "spring-test", "spring-tx", "spring-web", "spring-webflux", "spring-webmvc", "spring-websocket",
		}},
		{"org.springframework.amqp", []string{"spring-amqp", "spring-rabbit"}},
		{"org.springframework.batch", []string{"spring-batch-*"}},
		{"org.springframework.boot", []string{"spring-boot", "spring-boot-*"}},
		{"org.springframework.cloud", []string{"spring-cloud-*"}},
		{"org.springframework.data", []string{"spring-data-*"}},
		{"org.springframework.integration", []string{"spring-integration-*"}},
		{"org.springframework.kafka", []string{"spring-kafka"}},
		{"org.springframework.ldap", []string{"spring-ldap-*"}},
		{"org.springframework.security", []string{"spring-security-*"}},
		{"org.springframework.session", []string{"spring-session-*"}},
		{"org.springframework.ws", []string{"spring-ws-*"}},
		{"org.apache.tomcat.embed", []string{"tomcat-embed-*"}},
		{"org.apache.tomcat", []string{"tomcat-*"}},
		{"org.bouncycastle", []string{"bcprov-*", "bcpkix-*", "bcpg-*", "bcutil-*", "bcmail-*", "bctls-*", "bc-fips"}},
		{"com.fasterxml.jackson.core", []string{"jackson-core", "jackson-annotations", "jackson-databind"}},
		{"com.fasterxml.jackson.dataformat", []string{"jackson-dataformat-*"}},
		{"com.fasterxml.jackson.datatype", []string{"jackson-datatype-*"}},
		{"ch.qos.logback", []string{"logback-*"}},
		{"com.alibaba", []string{"fastjson"}},
		{"com.google.code.gson", []string{"gson"}},
		{"com.google.guava", []string{"guava"}},
		{"com.google.protobuf", []string{"protobuf-java", "protobuf-java-util", "protobuf-javalite"}},
		{"com.h2database", []string{"h2"}},
		{"com.mysql", []string{"mysql-connector-j"}},
		{"mysql", []string{"mysql-connector-java"}},
		{"org.postgresql", []string{"postgresql"}},
		{"com.squareup.okhttp3", []string{"okhttp"}},
		{"com.squareup.okio", []string{"okio", "okio-jvm"}},
		{"com.thoughtworks.xstream", []string{"xstream"}},
		{"commons-collections", []string{"commons-collections"}},
		{"io.netty", []string{"netty-*"}},
		{"io.projectreactor", []string{"reactor-core"}},
		{"io.projectreactor.netty", []string{"reactor-netty-*"}},
		{"org.apache.ant", []string{"ant"}},
		{"org.apache.commons", []string{
			"commons-text", "commons-lang3", "commons-compress", "commons-configuration2", "commons-collections4", "commons-pool2", "commons-dbcp2",
		}},
		{"org.apache.httpcomponents", []string{"httpclient", "httpcore"}},
		{"org.apache.ivy", []string{"ivy"}},
		{"org.apache.kafka", []string{"kafka-clients"}},
		{"org.apache.logging.log4j", []string{"log4j-*"}},
		{"org.apache.lucene", []string{"lucene-*"}},
		{"org.apache.shiro", []string{"shiro-*"}},
		{"org.apache.solr", []string{"solr-*"}},
		{"org.apache.velocity", []string{"velocity"}},
		{"org.codehaus.groovy", []string{"groovy", "groovy-*"}},
		{"org.codehaus.jackson", []string{"jackson-core-asl", "jackson-mapper-asl"}},
		{"org.elasticsearch", []string{"elasticsearch"}},
		{"org.hibernate", []string{"hibernate-core"}},
		{"org.jetbrains.kotlin", []string{"kotlin-*"}},
		{"org.yaml", []string{"snakeyaml"}},
	}
}
