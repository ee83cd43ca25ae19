{{/* Only a small part of the template language is used here; deploy/helm/README.md says which. */}}
{{- define "vote.instance" -}}
app.kubernetes.io/name: vote
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vote.service" -}}
{{ include "vote.instance" . }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "vote.consumer" -}}
{{ include "vote.instance" . }}
app.kubernetes.io/component: consumer
{{- end -}}

{{- define "vote.version" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "vote.image" -}}
"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
{{- end -}}

{{- define "vote.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "vote.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end -}}

{{- define "vote.dns" -}}
- to:
    - namespaceSelector: {}
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}
