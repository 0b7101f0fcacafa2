#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts the field table that the binary prints between the README's tags.
# usage: fields.sh FIM README
set -eu
table=$(mktemp)
trap 'rm -f "$table"' EXIT
"$1" fields --format markdown > "$table"
sed -i -e "/<!-- README-PLUGIN-FIELDS -->/,/<!-- \/README-PLUGIN-FIELDS -->/{//!d}" \
	-e "/<!-- README-PLUGIN-FIELDS -->/r $table" "$2"
