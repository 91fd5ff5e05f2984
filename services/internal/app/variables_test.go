package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
)

func environment(vars map[string]string) Env {
	return Env{
		Log:    zap.NewNop(),
		Getenv: func(name string) string { return vars[name] },
		Environ: func() []string {
			var list []string
			for k, v := range vars {
				list = append(list, k+"="+v)
			}
			return list
		},
	}
}

func TestVariables(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := Read(environment(map[string]string{
		"LANDWAITER_DATA": " /data ", "LANDWAITER_HOSTS": "a.example, b.example,", "LANDWAITER_RESULTS_AGE": "2d",
		"LANDWAITER_REPLICAS": "3", "LANDWAITER_HTTP": ":8080", "LANDWAITER_ADMIN_TOKEN_FILE": file,
		"LANDWAITER_PORT": "tcp://10.0.0.1:80", "LANDWAITER_REPORT_SERVICE_HOST": "10.0.0.1", "LANDWAITER_REPORT_PORT_8080_TCP_ADDR": "10.0.0.1",
	}))
	got := fmt.Sprintf("%q %q %s %d %s %s %s", v.String("LANDWAITER_DATA", ""), v.List("LANDWAITER_HOSTS"),
		v.Duration("LANDWAITER_RESULTS_AGE", 0), v.Int("LANDWAITER_REPLICAS", 1, 1), v.Addr("LANDWAITER_HTTP", ""),
		v.Secret("LANDWAITER_ADMIN_TOKEN").Reveal(), v.String("LANDWAITER_REDIS", "fallback"))
	if want := `"/data" ["a.example" "b.example"] 48h0m0s 3 :8080 from a file fallback`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := v.Err(); err != nil {
		t.Errorf("error %v", err)
	}
}

func TestVariablesTellEveryMistakeAtOnce(t *testing.T) {
	v := Read(environment(map[string]string{
		"LANDWAITER_REPLICAS": "0", "LANDWAITER_RESULTS_AGE": "-1h", "LANDWAITER_HTTP": "localhost", "LANDWAITER_ADMIN": "localhost:http",
		"LANDWAITER_ADMIN_TOKEN": "hunter2", "LANDWAITER_ADMIN_TOKEN_FILE": "/x", "LANDWAITER_TOKEN_FILE": "/does/not/exist",
		"LANDWAITER_NATS":   "nats://a:4222,nats://user:hunter2@b:port",
		"LANDWAITER_PREFIX": "Not Valid", "LANDWAITER_FAILPOINT": "nowhere:before", "LANDWAITER_REPLICA": "1", "LANDWAITER_WEBHOOKKEY": "x",
	}))
	v.Bus("test")
	v.Addr("LANDWAITER_HTTP", "")
	v.Addr("LANDWAITER_ADMIN", "")
	v.Secret("LANDWAITER_ADMIN_TOKEN")
	v.Secret("LANDWAITER_TOKEN")
	err := v.Err()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`LANDWAITER_REPLICAS: "0" is not a whole number from 1`, "LANDWAITER_RESULTS_AGE: ",
		`LANDWAITER_HTTP: "localhost" is not host:port`, `LANDWAITER_ADMIN: port "http"`, "LANDWAITER_ADMIN_TOKEN: set it or",
		"LANDWAITER_TOKEN_FILE: open /does/not/exist", "LANDWAITER_PREFIX: ", "LANDWAITER_FAILPOINT: ",
		"LANDWAITER_NATS: not nats://host:port",
		"LANDWAITER_REPLICA: no such variable (did you mean LANDWAITER_REPLICAS?)",
		"LANDWAITER_WEBHOOKKEY: no such variable (did you mean LANDWAITER_WEBHOOK_KEY?)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error holds a secret")
	}
}

func TestBusFromEnvironment(t *testing.T) {
	v := Read(environment(map[string]string{"LANDWAITER_PREFIX": "acme", "LANDWAITER_RESULTS_AGE": "1m", "LANDWAITER_FAILPOINT": "cron.publish:after"}))
	o := v.Bus("cron")
	if err := v.Err(); err != nil {
		t.Fatal(err)
	}
	if o.URL != "nats://127.0.0.1:4222" || o.Service != "cron" || o.Replicas != 1 || o.Fail == nil ||
		o.Topology != (events.Topology{Prefix: "acme", ResultsAge: time.Minute}) {
		t.Errorf("options %+v", o)
	}
}

func TestBrokerAddresses(t *testing.T) {
	for address, valid := range map[string]bool{
		"": true, "nats://127.0.0.1:4222": true, "host": true, "host:4222, tls://b": true, "wss://u:p%2Fq@c:443": true,
		"http://host:4222": false, "nats://": false, "nats://u:p/q@host:4222": false, "a,,b": false, "nats://host:port": false,
	} {
		v := Read(environment(map[string]string{"LANDWAITER_NATS": address}))
		v.Bus("test")
		if err := v.Err(); (err == nil) != valid {
			t.Errorf("address %q: error %v, want one: %t", address, err, !valid)
		}
	}
}
