// Asks the engine the cases of ../network.yaml and writes ../network.json. record.sh puts this file beside the engine's
// own, since its functions are not exported.
package networkpolicy

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sort"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

type policy struct {
	Namespace string `json:"namespace"`
	networkingv1.NetworkPolicySpec
}

type file struct {
	Cases []struct {
		Name     string   `json:"name"`
		Policies []policy `json:"policies"`
	} `json:"cases"`
}

// What the API server writes into what is not said (pkg/apis/networking/v1/defaults.go).
func defaulted(spec networkingv1.NetworkPolicySpec) networkingv1.NetworkPolicySpec {
	tcp := v1.ProtocolTCP
	fill := func(ports []networkingv1.NetworkPolicyPort) {
		for at := range ports {
			if ports[at].Protocol == nil {
				ports[at].Protocol = &tcp
			}
		}
	}
	for at := range spec.Ingress {
		fill(spec.Ingress[at].Ports)
	}
	for at := range spec.Egress {
		fill(spec.Egress[at].Ports)
	}
	if len(spec.PolicyTypes) == 0 {
		spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(spec.Egress) != 0 {
			spec.PolicyTypes = append(spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	return spec
}

func TestRecord(t *testing.T) {
	text, err := os.ReadFile(os.Getenv("CASES"))
	if err != nil {
		t.Fatal(err)
	}
	var cases file
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	prometheus := makePod("prometheus", "mon", "10.1.1.10")
	prometheus.Labels = map[string]string{"app": "prometheus", "team": "obs"}
	prometheus.Spec.Containers[0].Ports = []v1.ContainerPort{{Name: "web", ContainerPort: 9090, Protocol: v1.ProtocolTCP}}
	web := makePod("web", "shop", "10.1.2.20")
	web.Labels = map[string]string{"app": "web", "tier": "front"}
	web.Spec.Containers[0].Ports = []v1.ContainerPort{
		{Name: "http", ContainerPort: 8080, Protocol: v1.ProtocolTCP},
		{Name: "secure", ContainerPort: 15091, Protocol: v1.ProtocolTCP},
		{Name: "dns", ContainerPort: 15091, Protocol: v1.ProtocolUDP},
	}
	namespace := func(name string, own map[string]string) *v1.Namespace {
		of := makeNamespace(name)
		delete(of.Labels, "a")
		for key, value := range own {
			of.Labels[key] = value
		}
		return of
	}
	var lines []string
	for _, one := range cases.Cases {
		controller := newTestController(Config{NodeName: "testnode"})
		for _, of := range []*v1.Namespace{
			namespace("mon", map[string]string{"team": "obs"}), namespace("shop", map[string]string{"env": "prod"}), namespace("other", nil),
		} {
			if err := controller.namespaceStore.Add(of); err != nil {
				t.Fatal(err)
			}
		}
		for _, pod := range []*v1.Pod{prometheus, web} {
			if err := controller.podStore.Add(pod); err != nil {
				t.Fatal(err)
			}
		}
		for at, of := range one.Policies {
			policy := &networkingv1.NetworkPolicy{Spec: defaulted(of.NetworkPolicySpec)}
			policy.Name, policy.Namespace = fmt.Sprint(at), "shop"
			if of.Namespace != "" {
				policy.Namespace = of.Namespace
			}
			if err := controller.networkpolicyStore.Add(policy); err != nil {
				t.Fatal(err)
			}
		}
		in := controller.evaluatePacket(context.TODO(), packet{
			srcIP: net.ParseIP("10.1.1.10"), dstIP: net.ParseIP("10.1.2.20"), proto: v1.ProtocolTCP, srcPort: 52345, dstPort: 15091,
		})
		answer := map[bool]string{true: "in", false: "out"}[in]
		name, _ := json.Marshal(one.Name)
		lines = append(lines, fmt.Sprintf("  %s: [%q]", name, answer))
	}
	sort.Strings(lines)
	if err := os.WriteFile(os.Getenv("ANSWERS"), []byte("{\n"+strings.Join(lines, ",\n")+"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
