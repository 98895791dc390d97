// Judges objects as Argo CD would: its own settings are read from our patch of its ConfigMap, and its own code asked.
//
//	argocd-judge ARGOCD-CM.YAML FILE.JSON...
//
// For every file it prints a line with the file, a tab, and Argo CD's word for the object's health.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/argoproj/gitops-engine/pkg/health"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("argocd-judge ARGOCD-CM.YAML FILE.JSON...")
	}
	overrides, err := overrides(os.Args[1])
	if err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	for _, path := range os.Args[2:] {
		result, err := judge(path, overrides)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		fmt.Printf("%s\t%s\t%q\n", path, result.Status, result.Message)
	}
}

// The customizations of resources that Argo CD finds in this ConfigMap.
func overrides(path string) (lua.ResourceHealthOverrides, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &configMap); err != nil {
		return nil, err
	}
	// Argo CD reads only what carries its label, as its own ConfigMap does.
	configMap.Labels = map[string]string{"app.kubernetes.io/part-of": "argocd"}
	client := fake.NewClientset(&configMap)
	return settings.NewSettingsManager(context.Background(), client, configMap.Namespace).GetResourceOverrides()
}

func judge(path string, overrides lua.ResourceHealthOverrides) (*health.HealthStatus, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	result, err := health.GetResourceHealth(&object, overrides)
	if err == nil && result == nil {
		err = fmt.Errorf("Argo CD has no health check for it")
	}
	return result, err
}
