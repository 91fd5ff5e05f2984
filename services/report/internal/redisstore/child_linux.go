package redisstore

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end the child when this process is killed.
// Its own group keeps a terminal's interrupt away: it ends after us, not with
// us.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
