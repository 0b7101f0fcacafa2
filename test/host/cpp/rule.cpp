// SPDX-License-Identifier: Apache-2.0
#include "rule.h"

#include <fstream>
#include <iostream>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace {

using factory_ptr = std::shared_ptr<sinsp_filter_factory>;

void compile_condition(rule& r, const factory_ptr& factory, std::vector<finding>& found) {
	try {
		sinsp_filter_compiler compiler(factory, r.condition);
		r.filter = compiler.compile();
		for(const auto& warning : compiler.get_warnings()) {
			found.push_back({r.name, "condition", false, warning.msg});
		}
	} catch(const sinsp_exception& e) {
		found.push_back({r.name, "condition", true, e.what()});
	}
}

// compile_output puts a "*" before the output as Falco does: print it also where a
// field is absent.
void compile_output(rule& r,
                    sinsp& inspector,
                    filter_check_list& checks,
                    std::vector<finding>& found) {
	try {
		r.formatter = std::make_unique<sinsp_evt_formatter>(&inspector, "*" + r.output, checks);
	} catch(const sinsp_exception& e) {
		found.push_back({r.name, "output", true, e.what()});
	}
}

}  // namespace

std::vector<rule> read_rules(const std::string& path) {
	std::ifstream file;
	if(path != "-") {
		file.open(path);
		if(!file) {
			throw std::runtime_error("read rules: cannot open " + path);
		}
	}
	std::istream& in = path == "-" ? std::cin : file;
	std::vector<rule> rules;
	try {
		for(const auto& item : nlohmann::json::parse(in)) {
			rule r;
			item.at("name").get_to(r.name);
			item.at("condition").get_to(r.condition);
			item.at("output").get_to(r.output);
			rules.push_back(std::move(r));
		}
	} catch(const nlohmann::json::exception& e) {
		throw std::runtime_error("read rules: " + path + ": " + e.what());
	}
	return rules;
}

std::vector<finding> compile_rules(std::vector<rule>& rules,
                                   sinsp& inspector,
                                   filter_check_list& checks) {
	const auto factory = std::make_shared<sinsp_filter_factory>(&inspector, checks);
	std::vector<finding> found;
	for(auto& r : rules) {
		compile_condition(r, factory, found);
		compile_output(r, inspector, checks, found);
	}
	return found;
}
