#!/usr/bin/env bash
# Asks the Kubernetes project's engine for NetworkPolicies the cases of ../network.yaml anew; needs Go and its module proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=v0.8.0
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
module=$(cd "$work" && go mod download -json "sigs.k8s.io/kube-network-policies@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$module" "$work/engine" && chmod -R u+w "$work/engine"
cp "$here/record_test.go" "$work/engine/pkg/networkpolicy/"
cd "$work/engine"
CASES=$here/../network.yaml ANSWERS=$here/../network.json go test -count=1 -mod=mod -run '^TestRecord$' ./pkg/networkpolicy
