# What the namespaces of the cluster look like before anything runs in them.

# private_folders: memory over the folders that the cluster writes to, so that nothing of it is ever on the disk.
private_folders() {
  mount --make-rshared /
  local folder
  for folder in /run /var/log /var/lib/cni /var/lib/kubelet; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
  done
  mkdir -p /run/lock /run/netns "$REEVE_CLUSTER"
  chmod 700 "$REEVE_CLUSTER"
  kernel_settings
}

# kernel_settings: what kubelet sets for the whole kernel goes into files of the cluster's own.
kernel_settings() {
  local setting file
  mkdir "$REEVE_CLUSTER/kernel"
  for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    [ -e "/proc/sys/$setting" ] || continue
    file=$REEVE_CLUSTER/kernel/$(basename "$setting")
    cat "/proc/sys/$setting" > "$file"
    mount --bind "$file" "/proc/sys/$setting"
  done
}

# network: the network that the nodes share, and names as pods see them. An interface of its own is needed, as kubelet takes no
# address of the loopback one; it is a bridge, so that further nodes can be joined.
network() {
  ip link set lo up
  ip link add node0 type bridge
  ip address add 10.200.0.1/24 dev node0
  ip link set node0 up
  ip route add default via 10.200.0.1
  echo 1 > /proc/sys/net/ipv4/ip_forward
  local names; names=$(readlink --canonicalize-missing /etc/resolv.conf)
  mkdir -p "$(dirname "$names")"; [ -e "$names" ] || : > "$names"
  printf 'nameserver 10.200.0.1\nsearch svc.cluster.local cluster.local\n' > "$REEVE_CLUSTER/resolv.conf"
  mount --bind "$REEVE_CLUSTER/resolv.conf" "$names"
}
