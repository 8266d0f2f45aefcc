{{- define "reeve.operator" -}}reeve-operator{{- end -}}

{{- define "reeve.labels" -}}
app.kubernetes.io/name: reeve
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: reeve
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "reeve.operatorSelector" -}}
app.kubernetes.io/name: reeve
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- /* An image by its digest, else by its tag. */ -}}
{{- define "reeve.image" -}}
{{- $image := index . 0 -}}{{- $chart := index . 1 -}}
{{- if $image.digest -}}{{ $image.repository }}@{{ $image.digest }}
{{- else -}}{{ $image.repository }}:{{ $image.tag | default $chart.AppVersion }}{{- end -}}
{{- end -}}

{{- define "reeve.sidecarImage" -}}{{ include "reeve.image" (list .Values.sidecar.image .Chart) }}{{- end -}}

{{- /* Namespaces whose pods no webhook may ever stop. */ -}}
{{- define "reeve.untouchedNamespaces" -}}
{{- concat (list "kube-system" "kube-node-lease") (.Values.webhook.excludedNamespaces | default list) | uniq | toJson -}}
{{- end -}}

{{- /* What the three injecting webhooks have in common. */ -}}
{{- define "reeve.injectingWebhook" -}}
{{- $service := index . 0 -}}{{- $root := index . 1 -}}
admissionReviewVersions: [v1]
sideEffects: NoneOnDryRun
failurePolicy: Fail
matchPolicy: Equivalent
reinvocationPolicy: IfNeeded
timeoutSeconds: {{ $root.Values.webhook.timeoutSeconds }}
clientConfig:
  service: {{- $service | merge (dict "path" "/inject") | toYaml | nindent 4 }}
rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced}
{{- end -}}
