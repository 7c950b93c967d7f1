{{- /* The controller's flags. */ -}}
{{- define "sealwax.args" -}}
- --cluster-name={{ .Values.clusterName }}
- --listen=0.0.0.0:8080
- --log-format={{ .Values.logFormat }}
- --lease-name={{ include "sealwax.controller" . }}
- --lease-duration={{ .Values.lease.duration }}
- --concurrency={{ .Values.concurrency }}
- --not-ready-after={{ .Values.notReadyAfter }}
{{- range .Values.scope.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.scope.namespaceSelector }}
- {{ printf "--namespace-selector=%s" . | quote }}
{{- end }}
{{- with .Values.scope.objectSelector }}
- {{ printf "--selector=%s" . | quote }}
{{- end }}
{{- with .Values.scope.class }}
- --class={{ . }}
{{- end }}
{{- with .Values.keys.rotateEvery }}
- --rotate-keys-every={{ . }}
{{- end }}
{{- range .Values.escrow.recipients }}
- {{ printf "--escrow-recipient=%s" . | quote }}
{{- end }}
{{- if .Values.escrow.configMap }}
- --escrow-config-map
{{- end }}
{{- if .Values.external.enabled }}
- --external
- --source-concurrency={{ .Values.external.concurrency }}
- --source-rate={{ .Values.external.rate }}
{{- if eq (include "sealwax.clusterStores" .) "true" }}
- --cluster-stores
{{- end }}
{{- if .Values.external.ambientCredentials }}
- --allow-ambient-credentials
{{- end }}
{{- end }}
{{- if .Values.restarts.enabled }}
- --restarts
{{- end }}
{{- end -}}
