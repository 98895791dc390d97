// Judges objects as Flux would, with and without our healthCheckExprs, which are read from a Kustomization.
//
//	flux-judge KUSTOMIZATION.YAML FILE.JSON...
//
// For every file it prints a line with the file, a tab, the status by kstatus, a tab, and the status by the expressions.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("flux-judge KUSTOMIZATION.YAML FILE.JSON...")
	}
	reader, err := reader(os.Args[1])
	if err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	for _, path := range os.Args[2:] {
		plain, custom, err := judge(path, reader)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		fmt.Printf("%s\t%s\t%s\n", path, plain, custom)
	}
}

// What kustomize-controller makes of the expressions in this Kustomization.
func reader(path string) (engine.StatusReader, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var kustomization v1.Kustomization
	if err := yaml.UnmarshalStrict(text, &kustomization); err != nil {
		return nil, err
	}
	make, err := cel.NewStatusReader(kustomization.Spec.HealthCheckExprs)
	if err != nil {
		return nil, err
	}
	return make(nil), nil
}

func judge(path string, reader engine.StatusReader) (plain, custom status.Status, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(text); err != nil {
		return "", "", err
	}
	result, err := status.Compute(&object)
	if err != nil {
		return "", "", err
	}
	read, err := reader.ReadStatusForObject(context.Background(), nil, &object)
	if err == nil {
		err = read.Error
	}
	if err != nil {
		return "", "", err
	}
	return result.Status, read.Status, nil
}
