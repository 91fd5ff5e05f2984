In /etc/gitlab/gitlab.rb of a GitLab of your own, followed by gitlab-ctl
reconfigure. GitLab.com has no webhooks for its registry: there sweeps find the
images.

registry['notifications'] = [
  {
    'name' => 'landwaiter',
    'url' => {{ruby .URL}},
{{- with .Headers}}
    'headers' => {
{{- range $name, $value := .}}
      {{ruby $name}} => [{{ruby $value}}],
{{- end}}
    },
{{- end}}
    'timeout' => '5s',
    'threshold' => 5,
    'backoff' => '5s'
  }
]
