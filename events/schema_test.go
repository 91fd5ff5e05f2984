package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/schemas"
)

func compile(tb testing.TB, name string) *jsonschema.Schema {
	tb.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, file := range []string{name, "values.json"} {
		raw, err := schemas.Read(file)
		if err != nil {
			tb.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			tb.Fatal(err)
		}
		if err := c.AddResource(schemas.Base+file, doc); err != nil {
			tb.Fatal(err)
		}
	}
	schema, err := c.Compile(schemas.Base + name)
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}

func TestDataMatchesItsSchema(t *testing.T) {
	for kind, data := range examples() {
		t.Run(string(kind), func(t *testing.T) {
			m := events.Topology{}.Encode(newEvent(t, data, meta()))
			if got, want := m.Header["ce-dataschema"], schemas.Base+kind.SchemaFile(); !slices.Equal(got, []string{want}) {
				t.Errorf("dataschema %v, want %s", got, want)
			}
			schema := compile(t, kind.SchemaFile())
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Data))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Errorf("data %s: %v", m.Data, err)
			}
			checkFields(t, "data", reflect.TypeOf(data), schema)
		})
	}
}

// checkFields wants the same fields in a struct as in its schema: a field that
// is added to one alone is found here.
func checkFields(t *testing.T, path string, typ reflect.Type, schema *jsonschema.Schema) {
	t.Helper()
	for schema.Ref != nil {
		schema = schema.Ref
	}
	if typ.Kind() == reflect.Slice {
		item, isSchema := schema.Items2020, schema.Items2020 != nil
		if !isSchema {
			t.Errorf("%s: a list in Go, none in the schema", path)
			return
		}
		checkFields(t, path+"[]", typ.Elem(), item)
		return
	}
	if typ.Kind() != reflect.Struct || typ.PkgPath() != reflect.TypeFor[events.Event]().PkgPath() {
		return
	}
	fields := map[string]reflect.Type{}
	var required []string
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		fields[name] = field.Type
		if options == "" {
			required = append(required, name)
		}
	}
	inGo, inSchema := slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(schema.Properties))
	if diff := diffOf(inGo, inSchema); diff != "" {
		t.Errorf("%s: fields differ (-Go +schema):\n%s", path, diff)
		return
	}
	if diff := diffOf(slices.Sorted(slices.Values(required)), slices.Sorted(slices.Values(schema.Required))); diff != "" {
		t.Errorf("%s: required fields differ (-Go +schema):\n%s", path, diff)
	}
	for name, field := range fields {
		checkFields(t, path+"."+name, field, schema.Properties[name])
	}
}

func TestSchemaExamplesDecode(t *testing.T) {
	for _, kind := range events.Kinds() {
		raw, err := schemas.Read(kind.SchemaFile())
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Examples []json.RawMessage `json:"examples"`
		}
		if err := json.Unmarshal(raw, &schema); err != nil {
			t.Fatal(err)
		}
		decoded := 0
		for _, example := range schema.Examples {
			// Which of its kinds an example is of is told by its action or error.
			if _, err := events.Decode(structured(envelope(kind, example))); err == nil {
				decoded++
			}
		}
		if decoded == 0 {
			t.Errorf("no example of %s decodes as %s", kind.SchemaFile(), kind)
		}
	}
}

func TestEverySchemaExampleIsOfAKind(t *testing.T) {
	byFile := map[string][]events.Kind{}
	for _, kind := range events.Kinds() {
		byFile[kind.SchemaFile()] = append(byFile[kind.SchemaFile()], kind)
	}
	for file, kinds := range byFile {
		raw, err := schemas.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Examples []json.RawMessage `json:"examples"`
		}
		if err := json.Unmarshal(raw, &schema); err != nil {
			t.Fatal(err)
		}
		for i, example := range schema.Examples {
			isOf := func(kind events.Kind) bool {
				_, err := events.Decode(structured(envelope(kind, example)))
				return err == nil
			}
			if !slices.ContainsFunc(kinds, isOf) {
				t.Errorf("%s: example %d decodes as none of %v", file, i, kinds)
			}
		}
	}
}

// Words of the schemas that stand as constants in Go.
func TestSchemaEnums(t *testing.T) {
	var lanes []any
	for _, lane := range events.Lanes() {
		lanes = append(lanes, string(lane))
	}
	schema := compile(t, "scan-requested.json").Properties["lane"]
	for schema.Ref != nil {
		schema = schema.Ref
	}
	if diff := diffOf(lanes, schema.Enum.Values); diff != "" {
		t.Errorf("lanes differ (-Go +schema):\n%s", diff)
	}
}

func envelope(kind events.Kind, data []byte) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"test","type":%q,"data":%s}`, kind.Type(), data)
}

// The AsyncAPI document says of streams, subjects and messages what the code says.
func TestAsyncAPI(t *testing.T) {
	raw, err := schemas.Read(schemas.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Channels map[string]struct {
			Address  string         `yaml:"address"`
			Messages map[string]any `yaml:"messages"`
		} `yaml:"channels"`
		Components struct {
			Messages map[string]struct {
				Name    string `yaml:"name"`
				Payload struct {
					Schema struct {
						Ref string `yaml:"$ref"`
					} `yaml:"schema"`
				} `yaml:"payload"`
			} `yaml:"messages"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if got, want := len(doc.Components.Messages), len(events.Kinds()); got != want {
		t.Errorf("%d messages for %d kinds", got, want)
	}
	streams := events.Topology{}.Streams()
	if got, want := len(doc.Channels), len(streams); got != want {
		t.Errorf("%d channels for %d streams", got, want)
	}
	for _, stream := range streams {
		channel := doc.Channels[stream.Name]
		address := strings.ReplaceAll(channel.Address, "{prefix}", events.DefaultPrefix)
		if root := strings.TrimSuffix(stream.Subjects[0], ">"); address == "" || !strings.HasPrefix(address, root) {
			t.Errorf("channel %s has the address %q, want one in %s", stream.Name, channel.Address, root)
		}
	}
	for kind, data := range examples() {
		message := doc.Components.Messages[string(kind)]
		if message.Name != kind.Type() || message.Payload.Schema.Ref != schemas.Base+kind.SchemaFile() {
			t.Errorf("message %s: %+v", kind, message)
		}
		subject := events.Topology{}.Subject(newEvent(t, data, meta()))
		for _, stream := range streams {
			_, listed := doc.Channels[stream.Name].Messages[string(kind)]
			if covered := covers(stream.Subjects[0], subject); listed != covered {
				t.Errorf("channel %s lists %s: %v, its stream takes %s: %v", stream.Name, kind, listed, subject, covered)
			}
		}
	}
}
