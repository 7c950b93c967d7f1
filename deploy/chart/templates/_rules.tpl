{{- /* The rights wherever the controller serves, each with what it is for; the comments are part of what is rendered. */ -}}
{{- define "sealwax.servedRules" -}}
# What Git says. `list` and `watch`: to be told of every change. `get`: the ciphertext of objects that are settled is
# not kept in memory, and is read again to heal a Secret; and an object's items are taken out of a Secret that others feed
# too only when it is really gone.
- apiGroups: [sealwax.dev]
  resources: [encryptedsecrets]
  verbs: [get, list, watch]
# What it tells about each object. It never changes a spec. Nobody else should have this right: whether a Secret belongs
# to an object may rest on what stands in its status.
- apiGroups: [sealwax.dev]
  resources: [encryptedsecrets/status]
  verbs: [patch]
# What it makes. `create` and `patch`: to write Secrets. `list` and `watch`: to heal them, of metadata only. `get`: the
# metadata of a Secret that is in the way, or that somebody changed. `delete`: the Secret of a former spec.target.name, and
# one that spec.target.recreate allows to make again, with its uid.
# Kubernetes cannot restrict any of these to Secrets with our label, nor `list` and `watch` to metadata: whoever holds
# this rule can read every Secret here. The program asks for metadata only{{ if .Values.external.enabled }}, but for the contents of Secrets that a store
# or a template names, and of its own encrypted copies{{ else }}, and never for a Secret's contents{{ end }}.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
{{- if .Values.external.enabled }}
# external.enabled: what is read elsewhere, and through which stores. `get`: an object's items are taken out of a Secret
# that others feed too only when it is really gone.
- apiGroups: [sealwax.dev]
  resources: [externalsecrets]
  verbs: [get, list, watch]
- apiGroups: [sealwax.dev]
  resources: [secretstores]
  verbs: [list, watch]
- apiGroups: [sealwax.dev]
  resources: [externalsecrets/status, secretstores/status]
  verbs: [patch]
# Certificates that stores name, and templates. `list` and `watch`: of metadata only, to see that one has changed.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
{{- if .Values.external.serviceAccountTokens }}
# external.serviceAccountTokens: to log in as a service account that a store names. Kubernetes cannot restrict this to
# some of them: whoever holds this rule can act as every service account here. The program makes a token only for a store of
# the account's own namespace, or for a ClusterSecretStore that the account allows by annotation.
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
# Their annotations: which ClusterSecretStores an account allows, and its role in AWS.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get]
{{- end }}
{{- end }}
# What people see in `kubectl describe`. `patch`: an event that repeats is counted, not made anew.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.restarts.enabled }}
# restarts.enabled: workloads whose annotation asks to be restarted when a Secret changes. The program sets one
# annotation of the Pod template. Kubernetes cannot restrict `patch` to that: whoever holds this rule can change any
# field of these workloads, and so run any program with the rights of their Pods.
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [list, patch]
{{- end }}
{{- end -}}
{{- /* Whether stores of the cluster are served: not where there is no ClusterRole at all. */ -}}
{{- define "sealwax.clusterStores" -}}
{{- and .Values.external.enabled .Values.external.clusterStores (not .Values.scope.namespaces) -}}
{{- end -}}
{{- /* The rights on what is in no namespace. */ -}}
{{- define "sealwax.clusterRules" -}}
{{- if eq (include "sealwax.clusterStores" .) "true" }}
# external.clusterStores: stores that several namespaces read through.
- apiGroups: [sealwax.dev]
  resources: [clustersecretstores]
  verbs: [list, watch]
- apiGroups: [sealwax.dev]
  resources: [clustersecretstores/status]
  verbs: [patch]
# The labels of a namespace, where a store's conditions ask for them.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}
{{- end -}}
