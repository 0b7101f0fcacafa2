// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// attach hangs an empty program where fim hangs its program of that name, which
// is the way of attaching and the function: "fexit_vfs_mkdir".
func attach(name string) (link.Link, error) {
	way, function, _ := strings.Cut(name, "_")
	spec, err := empty(way, function)
	if err != nil {
		return nil, err
	}
	program, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, err
	}
	defer program.Close() // the link holds it
	switch way {
	case "lsm":
		return link.AttachLSM(link.LSMOptions{Program: program})
	case "kprobe":
		return link.Kprobe(function, program, nil)
	case "kretprobe":
		return link.Kretprobe(function, program, nil)
	default:
		return link.AttachTracing(link.TracingOptions{Program: program})
	}
}

// empty is a program that returns zero, which for an LSM program is consent.
func empty(way, function string) (*ebpf.ProgramSpec, error) {
	spec := &ebpf.ProgramSpec{
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		License:      "Dual BSD/GPL",
		AttachTo:     function,
	}
	switch way {
	case "lsm":
		spec.Type, spec.AttachType = ebpf.LSM, ebpf.AttachLSMMac
		spec.AttachTo = strings.TrimPrefix(function, "security_")
	case "fentry":
		spec.Type, spec.AttachType = ebpf.Tracing, ebpf.AttachTraceFEntry
	case "fexit":
		spec.Type, spec.AttachType = ebpf.Tracing, ebpf.AttachTraceFExit
	case "kprobe", "kretprobe":
		spec.Type, spec.AttachTo = ebpf.Kprobe, ""
	default:
		return nil, fmt.Errorf("%q is no way of attaching that is known here: lsm, fentry, fexit, kprobe or kretprobe", way)
	}
	return spec, nil
}
