// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/user"
	"strconv"
)

// maxUsers bounds the names that are remembered.
const maxUsers = 4096

// userNames returns a function that names user ids as this host does, and falls
// back to the number.
func userNames() func(uid uint64) string {
	names := map[uint64]string{}
	return func(uid uint64) string {
		if name, ok := names[uid]; ok {
			return name
		}
		if len(names) >= maxUsers {
			clear(names)
		}
		names[uid] = lookUp(uid)
		return names[uid]
	}
}

func lookUp(uid uint64) string {
	number := userNumber(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// userNumber is the name of a user of another host, or of another time.
func userNumber(uid uint64) string { return strconv.FormatUint(uid, 10) }
