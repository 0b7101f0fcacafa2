// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// aclPrefix and the kind of a list are the name of the attribute that holds it.
const aclPrefix = "system.posix_acl_"

// aclVersion begins the attribute; see linux/posix_acl_xattr.h.
const aclVersion = 2

// aclTags are the kinds of an entry, first without an id and then with one.
var aclTags = map[string][2]uint16{
	"user": {0x01, 0x02}, "group": {0x04, 0x08}, "mask": {0x10, 0}, "other": {0x20, 0},
}

// parseACL turns a list as getfacl(1) prints it, its entries in the kernel's
// order and joined by commas, into an attribute's value:
// "user::rw-,user:1000:r--,group::r--,mask::r--,other::---".
func parseACL(text string) ([]byte, error) {
	list := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for entry := range strings.SplitSeq(text, ",") {
		parts := strings.Split(entry, ":")
		if len(parts) != 3 {
			return nil, fmt.Errorf("entry %q: want KIND:ID:rwx", entry)
		}
		tag, id := aclTags[parts[0]][0], uint64(^uint32(0)) // no id
		if parts[1] != "" {
			var err error
			if id, err = strconv.ParseUint(parts[1], 10, 32); err != nil {
				return nil, fmt.Errorf("entry %q: %w", entry, err)
			}
			tag = aclTags[parts[0]][1]
		}
		if tag == 0 {
			return nil, fmt.Errorf("entry %q: no such kind, or not with an id", entry)
		}
		var may uint16
		for i, letter := range "rwx" {
			if strings.ContainsRune(parts[2], letter) {
				may |= 4 >> i
			}
		}
		list = binary.LittleEndian.AppendUint16(list, tag)
		list = binary.LittleEndian.AppendUint16(list, may)
		list = binary.LittleEndian.AppendUint32(list, uint32(id))
	}
	return list, nil
}

// getacl reads a list, or finds none: from then on the kernel has it at hand.
func getacl(a []string) error {
	_, err := unix.Getxattr(a[1], aclPrefix+a[0], make([]byte, 1<<16))
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	return err
}
