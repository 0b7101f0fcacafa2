// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

// What the command line asks for.
struct options {
	std::string command;  // "fields", "compile" or "run"
	std::string plugin;   // path of the plugin's library
	std::string rules;    // path of the rules, as rule.h describes them
	std::string init;     // the plugin's init_config
	std::string open;     // the plugin's open_params: empty is live
	std::string capture;  // a capture file to read instead of opening the plugin
	std::uint64_t max = 0;  // events to take before ending; 0 is no limit
	bool all = false;       // print every rule that matches, not the first alone
};

// Raised for a command line that cannot be meant.
struct usage_error {
	std::string what;
};

options parse_options(int argc, char** argv);

extern const char usage[];
