// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <libsinsp/eventformatter.h>
#include <libsinsp/filter.h>
#include <libsinsp/filter_check_list.h>
#include <libsinsp/sinsp.h>

// One rule: when its condition holds for an event, its output is printed.
struct rule {
	std::string name;
	std::string condition;
	std::string output;
	std::unique_ptr<sinsp_filter> filter;
	std::unique_ptr<sinsp_evt_formatter> formatter;
};

// What the compiler has to say of one part of one rule.
struct finding {
	std::string rule;
	std::string part;  // "condition" or "output"
	bool fatal;        // an error; else a warning
	std::string text;
};

// read_rules reads a JSON array of objects with the members name, condition and
// output, from standard input if path is "-". It throws std::runtime_error for anything else.
std::vector<rule> read_rules(const std::string& path);

// compile_rules compiles every rule against checks, which must outlive them. It
// does not stop at the first error. A rule with one is left without its filter
// or formatter.
std::vector<finding> compile_rules(std::vector<rule>& rules,
                                   sinsp& inspector,
                                   filter_check_list& checks);
