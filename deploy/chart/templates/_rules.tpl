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
# this rule can read every Secret here. The program asks for metadata only, and never for a Secret's contents.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
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
