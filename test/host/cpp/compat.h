// SPDX-License-Identifier: Apache-2.0
//
// Included before everything else. The libraries' headers were configured for a
// C library that has strlcpy and strlcat; older ones (glibc before 2.38) do not
// declare them. The symbols themselves come from the library that is loaded.
#pragma once

#include <cstddef>

#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 38)
extern "C" {
std::size_t strlcpy(char* dst, const char* src, std::size_t size);
std::size_t strlcat(char* dst, const char* src, std::size_t size);
}
#endif
