# Who is who in the cluster: an authority of this one cluster, and what it signs. All of it is gone with the cluster.

# certificates: of the authority, the API server and its clients; kubeconfigs of the clients; the key that signs tokens.
certificates() {
  mkdir "$REEVE_CLUSTER/pki"
  (
    cd "$REEVE_CLUSTER/pki"
    printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n' > openssl.cnf
    openssl ecparam -name prime256v1 -genkey -noout -out sa.key
    openssl ec -in sa.key -pubout -out sa.pub 2> /dev/null
    new_key ca -subj /CN=cluster-authority -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    signed apiserver /CN=kube-apiserver \
      subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:10.200.0.1
    client admin /O=system:masters/CN=admin
    local name
    for name in kube-controller-manager kube-scheduler kube-proxy; do client "$name" "/CN=system:$name"; done
  )
}

# client NAME SUBJECT: a certificate, and NAME.kubeconfig that uses it.
client() {
  local pki=$REEVE_CLUSTER/pki
  (cd "$pki" && signed "$1" "$2" keyUsage=critical,digitalSignature)
  cat > "$REEVE_CLUSTER/$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: {server: "https://10.200.0.1:6443", certificate-authority: $pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $pki/$1.crt, client-key: $pki/$1.key}}]
contexts: [{name: cluster, context: {cluster: cluster, user: $1}}]
current-context: cluster
CONFIG
}

# signed NAME SUBJECT EXTENSION: NAME.crt and NAME.key, signed by the authority.
signed() {
  new_key "$1" -subj "$2" -CA ca.crt -CAkey ca.key -addext "$3" -addext extendedKeyUsage=serverAuth,clientAuth
}

new_key() {
  local name=$1; shift
  openssl req -x509 -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -keyout "$name.key" -out "$name.crt" "$@" 2> openssl.log || { cat openssl.log >&2; return 1; }
}
