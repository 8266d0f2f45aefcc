# Nodes: containerd, kubelet and kube-proxy. The first is where the control plane is; each further one has a network and mounts
# of its own, joined to the first by a pair of virtual interfaces.

# in_node N COMMAND...: what to run a command in a node with, as words in the array `entered`.
in_node() {
  local number=$1; shift
  entered=("$@")
  [ "$number" -eq 1 ] || entered=(nsenter --target "$(cat "$REEVE_CLUSTER/parts/node$number/pid")" --net --mount -- "$@")
}

# add_node N: a further node.
add_node() {
  local number=$1 name=node$1
  start "$name" unshare --net --mount --propagation private bash -c "
    mount --make-rshared / && for folder in /run/netns /var/log /var/lib/cni /var/lib/kubelet; do
      mount -t tmpfs tmpfs \$folder || exit; done; touch $REEVE_CLUSTER/$name.made; exec sleep infinity"
  await "$name has no namespaces" "$name" test -e "$REEVE_CLUSTER/$name.made"
  ip link add "$name" type veth peer name eth0 netns "$(cat "$REEVE_CLUSTER/parts/$name/pid")"
  ip link set "$name" master node0 up
  in_node "$number" bash -c "ip link set lo up && ip address add 10.200.0.$number/24 dev eth0 && ip link set eth0 up \
    && ip route add default via 10.200.0.1 && echo 1 > /proc/sys/net/ipv4/ip_forward"
  "${entered[@]}"
  ip route add "10.244.$((number - 1)).0/24" via "10.200.0.$number"
  start_containerd "$number"
  start_kubelet "$number"
}

start_containerd() {
  local number=$1 folder=$REEVE_CLUSTER/node$1
  mkdir -p "$folder/cni"
  # The interface of a pod ends at its node, where routes lead on.
  cat > "$folder/cni/10-pods.conflist" <<CONFIG
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {
  "type": "host-local", "subnet": "10.244.$((number - 1)).0/24", "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CONFIG
  # restrict_oom_score_adj: the rights to do otherwise are missing in many containers and virtual machines.
  cat > "$folder/containerd.toml" <<CONFIG
version = 3
root = '$folder/root'
state = '$folder/state'
[grpc]
address = '$folder/containerd.sock'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = 'reeve.test/pause:1'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/usr/lib/cni']
conf_dir = '$folder/cni'
CONFIG
  in_node "$number" containerd --config "$folder/containerd.toml" --log-level warn
  start "containerd-node$number" "${entered[@]}"
}

start_kubelet() {
  local number=$1 name=node$1 folder=$REEVE_CLUSTER/node$1
  await 'containerd does not answer' "containerd-$name" ctr_of "$number" version
  load_images "$number"
  client "kubelet-$name" "/O=system:nodes/CN=system:node:$name"
  control_group "$name"
  cat > "$folder/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$folder/containerd.sock
authentication: {x509: {clientCAFile: $REEVE_CLUSTER/pki/ca.crt}, webhook: {enabled: true}}
authorization: {mode: Webhook}
clusterDomain: cluster.local
clusterDNS: [10.200.0.1]
resolvConf: /dev/null
cgroupDriver: cgroupfs
cgroupRoot: /$REEVE_CLUSTER_CGROUP/$name
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
makeIPTablesUtilChains: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
maxPods: 250
syncFrequency: 1s
kubeAPIQPS: 500
kubeAPIBurst: 1000
crashLoopBackOff: {maxContainerRestartPeriod: 2s}
CONFIG
  in_node "$number" kubelet --config "$folder/kubelet.yaml" --kubeconfig "$REEVE_CLUSTER/kubelet-$name.kubeconfig" \
    --hostname-override "$name" --node-ip "10.200.0.$number"
  start "kubelet-$name" "${entered[@]}"
  cat > "$folder/kube-proxy.yaml" <<CONFIG
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $REEVE_CLUSTER/kube-proxy.kubeconfig}
hostnameOverride: $name
mode: nftables
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
CONFIG
  in_node "$number" kube-proxy --config "$folder/kube-proxy.yaml"
  start "kube-proxy-$name" "${entered[@]}"
}

await_node() {
  await "node$1 is not ready" "kubelet-node$1" kubectl_admin wait --for=condition=Ready --timeout=5s "node/node$1"
}

ctr_of() { local number=$1; shift; ctr --address "$REEVE_CLUSTER/node$number/containerd.sock" --namespace k8s.io "$@"; }

# load_images N: every archive of target/cluster/images that a pod could be made of.
load_images() {
  local archive
  for archive in "$REEVE_CLUSTER_IMAGES"/*.tar; do
    [ "$(basename "$archive")" = base.tar ] || ctr_of "$1" images import "$archive" > /dev/null
  done
}

# control_group NODE: where the node's pods are accounted for, in each hierarchy (version 1) or in the only one (version 2).
control_group() {
  local root group=$REEVE_CLUSTER_CGROUP/$1
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p "/sys/fs/cgroup/$group"
    for root in /sys/fs/cgroup "/sys/fs/cgroup/$REEVE_CLUSTER_CGROUP" "/sys/fs/cgroup/$group"; do
      for controller in cpuset cpu io memory hugetlb pids; do
        echo "+$controller" > "$root/cgroup.subtree_control" 2> /dev/null || true
      done
    done
    return
  fi
  for root in /sys/fs/cgroup/*/; do mkdir -p "$root$group" 2> /dev/null || true; done
  # A group of processors begins empty, and takes nobody until it is told which there are.
  for root in "/sys/fs/cgroup/cpuset/$REEVE_CLUSTER_CGROUP" "/sys/fs/cgroup/cpuset/$group"; do
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$root/$file" ] || cat "$(dirname "$root")/$file" > "$root/$file"
    done
  done
}
