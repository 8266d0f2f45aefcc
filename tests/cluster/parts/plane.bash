# The control plane: etcd, the API server, the controllers, the scheduler, and DNS.

start_plane() {
  local pki=$REEVE_CLUSTER/pki
  # What etcd writes need not outlive it.
  start etcd etcd --data-dir "$REEVE_CLUSTER/etcd" --unsafe-no-fsync --listen-peer-urls http://127.0.0.1:2380
  start kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address=10.200.0.1 \
    --service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/sa.pub" \
    --service-account-signing-key-file="$pki/sa.key"
}

await_plane() { await 'the API server is not ready' kube-apiserver kubectl_admin get --raw /readyz; }

# start_controllers: the API server does without them where KUBEBUILDER_ASSETS brings none; Namespaces are then never deleted.
start_controllers() {
  command -v kube-controller-manager > /dev/null || return 0
  local pki=$REEVE_CLUSTER/pki
  # With the default rate, the first ServiceAccounts come 5 s late.
  start kube-controller-manager kube-controller-manager --kubeconfig="$REEVE_CLUSTER/kube-controller-manager.kubeconfig" \
    --leader-elect=false --use-service-account-credentials=true --kube-api-qps=500 --kube-api-burst=1000 \
    --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
}

start_scheduler() {
  start kube-scheduler kube-scheduler --kubeconfig="$REEVE_CLUSTER/kube-scheduler.kubeconfig" --leader-elect=false
}

# start_dns: answers for the cluster; all other names do not exist.
start_dns() {
  cat > "$REEVE_CLUSTER/Corefile" <<CONFIG
cluster.local:53 in-addr.arpa:53 {
  bind 10.200.0.1
  errors
  kubernetes {
    kubeconfig $REEVE_CLUSTER/admin.kubeconfig
    pods insecure
    ttl 1
  }
}
.:53 {
  bind 10.200.0.1
  template ANY ANY {
    rcode NXDOMAIN
  }
}
CONFIG
  start coredns coredns -conf "$REEVE_CLUSTER/Corefile"
}

# await_accounts: without the ServiceAccount "default", no pod can be made.
await_accounts() {
  [ -d "$REEVE_CLUSTER/parts/kube-controller-manager" ] || return 0
  await 'there is no ServiceAccount "default"' kube-controller-manager kubectl_admin get serviceaccount default
}

kubectl_admin() { kubectl --kubeconfig "$REEVE_CLUSTER/admin.kubeconfig" "$@"; }
