{{- /* What all names begin with: `sealwax` for a release of that name. */ -}}
{{- define "sealwax.base" -}}
{{- $name := default .Release.Name .Values.nameOverride -}}
{{- if contains "sealwax" $name }}{{ $name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-sealwax" ($name | trunc 32 | trimSuffix "-") }}{{ end -}}
{{- end -}}

{{- define "sealwax.controller" -}}{{ include "sealwax.base" . }}-controller{{- end -}}

{{- define "sealwax.serviceAccount" -}}{{ default (include "sealwax.controller" .) .Values.serviceAccount.name }}{{- end -}}

{{- /* Cluster-wide names also carry the namespace where two releases of one name could meet. */ -}}
{{- define "sealwax.clusterName" -}}
{{- if eq .Release.Namespace "sealwax-system" }}{{ include "sealwax.controller" . }}{{ else }}{{ include "sealwax.controller" . }}-{{ .Release.Namespace }}{{ end -}}
{{- end -}}

{{- define "sealwax.selectorLabels" -}}
app.kubernetes.io/name: sealwax-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sealwax.labels" -}}
{{ include "sealwax.selectorLabels" . }}
app.kubernetes.io/part-of: sealwax
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Labels and annotations of an object; given the root and, if it has any, its own `labels` and `annotations`. */ -}}
{{- define "sealwax.metadata" -}}
labels:
  {{- include "sealwax.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sealwax.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ .registry }}/{{ end }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{- /* The namespaces with a Role each, as a JSON list; empty where a ClusterRole covers them. */ -}}
{{- define "sealwax.roleNamespaces" -}}
{{- if .Values.scope.namespaces }}{{ toJson .Values.scope.namespaces }}{{ else }}{{ toJson .Values.rbac.perNamespaceRoles }}{{ end -}}
{{- end -}}

{{- define "sealwax.subject" -}}
- kind: ServiceAccount
  name: {{ include "sealwax.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
