// schemas writes, for kubeconform, one JSON schema per kind: those of Kubernetes from its OpenAPI description, and those
// of custom kinds from their CRDs. Unlike the API server, they refuse fields they do not know.
//
// usage: schemas DIRECTORY SWAGGER.json CRD.yaml...
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	prefix     = "#/definitions/"
	objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
)

// object is any JSON object.
type object = map[string]any

func main() {
	if len(os.Args) < 3 {
		fail("usage: schemas DIRECTORY SWAGGER.json CRD.yaml...")
	}
	directory, swagger := os.Args[1], read(os.Args[2])
	definitions := field(swagger, "definitions", os.Args[2])
	for name, definition := range definitions {
		strict(definition)
		definitions[name] = definition
	}
	kinds := 0
	for name, definition := range definitions {
		gvks, _ := definition.(object)["x-kubernetes-group-version-kind"].([]any)
		// What several groups share, such as DeleteOptions, is no kind to be found in a manifest.
		if len(gvks) != 1 {
			continue
		}
		gvk := gvks[0].(object)
		write(directory, gvk["group"].(string), gvk["version"].(string), gvk["kind"].(string),
			object{"$ref": prefix + name}, definitions)
		kinds++
	}
	for _, path := range os.Args[3:] {
		kinds += custom(directory, path, definitions)
	}
	fmt.Printf("schemas: %d kinds\n", kinds)
}

// custom writes the schema of each version of the CRD in this file, and returns their number.
func custom(directory, path string, definitions object) int {
	spec := field(read(path), "spec", path)
	names := field(spec, "names", path)
	versions, _ := spec["versions"].([]any)
	for _, one := range versions {
		version := one.(object)
		schema := field(field(version, "schema", path), "openAPIV3Schema", path)
		properties := field(schema, "properties", path)
		// A CRD leaves these three to the API server.
		properties["apiVersion"] = object{"type": "string"}
		properties["kind"] = object{"type": "string"}
		properties["metadata"] = object{"$ref": prefix + objectMeta}
		strict(schema)
		write(directory, spec["group"].(string), version["name"].(string), names["kind"].(string), schema, definitions)
	}
	return len(versions)
}

// strict changes a schema, and those in it, to one that refuses unknown fields and understands the formats of Kubernetes.
func strict(value any) {
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			strict(one)
		}
	case object:
		if value["format"] == "int-or-string" || value["x-kubernetes-int-or-string"] == true {
			delete(value, "format")
			value["type"] = []any{"integer", "string"}
		}
		if value["nullable"] == true {
			if kind, ok := value["type"].(string); ok {
				value["type"] = []any{kind, "null"}
			}
		}
		_, named := value["properties"].(object)
		_, more := value["additionalProperties"]
		if named && !more && value["x-kubernetes-preserve-unknown-fields"] != true {
			value["additionalProperties"] = false
		}
		for _, one := range value {
			strict(one)
		}
	}
}

// write writes the schema with the definitions that it needs, where kubeconform looks for it.
func write(directory, group, version, kind string, schema, definitions object) {
	needed := object{}
	collect(schema, definitions, needed)
	whole := object{}
	for key, value := range schema {
		whole[key] = value
	}
	whole["definitions"] = needed
	text, err := json.Marshal(whole)
	check(err)
	// kubeconform takes the version of the core group for its name.
	if group == "" {
		group = version
	}
	path := filepath.Join(directory, group, strings.ToLower(kind)+"_"+version+".json")
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	check(os.WriteFile(path, text, 0o644))
}

// collect adds to needed every definition that value refers to, directly or not.
func collect(value any, definitions, needed object) {
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			collect(one, definitions, needed)
		}
	case object:
		if reference, ok := value["$ref"].(string); ok {
			name := strings.TrimPrefix(reference, prefix)
			if _, known := needed[name]; !known {
				// A quantity may be written as a number too.
				if name == "io.k8s.apimachinery.pkg.api.resource.Quantity" {
					needed[name] = object{"type": []any{"string", "number"}}
					return
				}
				needed[name] = definitions[name]
				collect(definitions[name], definitions, needed)
			}
		}
		for _, one := range value {
			collect(one, definitions, needed)
		}
	}
}

func read(path string) object {
	text, err := os.ReadFile(path)
	check(err)
	var value object
	if err := yaml.Unmarshal(text, &value); err != nil {
		fail(path + ": " + err.Error())
	}
	return value
}

func field(value object, name, path string) object {
	found, ok := value[name].(object)
	if !ok {
		fail(path + ": no " + name)
	}
	return found
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "schemas: "+why)
	os.Exit(1)
}
