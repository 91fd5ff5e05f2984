//go:build !linux

package redisstore

import "os/exec"

// endWithParent: only Linux can tie a child's life to ours. Elsewhere a killed
// process leaves its child behind, which holds nothing and listens nowhere but
// on a private socket.
func endWithParent(*exec.Cmd) {}
