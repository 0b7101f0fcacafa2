// SPDX-License-Identifier: Apache-2.0
//
// A plugin host as small as one can be on libsinsp, the library under Falco. It
// stands in for Falco where Falco is not installed: it loads the plugin, allows
// in rules just what Falco allows for the plugin's source, and prints what the
// rules match, as text and as JSON.
#include <csignal>
#include <iostream>
#include <stdexcept>

#include <libsinsp/plugin.h>
#include <libsinsp/plugin_manager.h>
#include <nlohmann/json.hpp>

#include "options.h"
#include "rule.h"

namespace {

using json = nlohmann::json;
using plugin_ptr = std::shared_ptr<sinsp_plugin>;

enum exit_code { done = 0, failed = 1, usage_wrong = 2, rule_wrong = 3 };

volatile std::sig_atomic_t stop = 0;

// on_signals lets SIGINT and SIGTERM end a run in order. SA_ONSTACK, because the
// plugin brings Go's runtime, whose stacks are too small for a handler.
void on_signals() {
	struct sigaction action {};
	action.sa_handler = [](int) { stop = 1; };
	action.sa_flags = SA_ONSTACK | SA_RESTART;
	sigaction(SIGINT, &action, nullptr);
	sigaction(SIGTERM, &action, nullptr);
}

// print writes one line. Strings of events are hostile: bytes that are not
// UTF-8 come out as U+FFFD.
void print(const json& line) {
	std::cout << line.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

// add_checks adds the checks that Falco gives to rules of a plugin's source: the
// generic ones, which leave out processes and descriptors, and the plugin's own.
void add_checks(filter_check_list& checks, const plugin_ptr& plugin) {
	checks.add_filter_check(sinsp::new_generic_filtercheck());
	checks.add_filter_check(sinsp_plugin::new_filtercheck(plugin));
}

int print_fields(const plugin_ptr& plugin) {
	for(const auto& field : plugin->fields()) {
		print({{"field", field.m_name},
		       {"type", param_type_to_string(field.m_type)},
		       {"list", (field.m_flags & EPF_IS_LIST) != 0},
		       {"desc", field.m_description}});
	}
	return done;
}

// report prints what the compiler found and says whether it was only warnings.
bool report(const std::vector<finding>& found) {
	bool ok = true;
	for(const auto& f : found) {
		print({{f.fatal ? "error" : "warning", f.text}, {"rule", f.rule}, {"part", f.part}});
		ok = ok && !f.fatal;
	}
	return ok;
}

void init_plugin(const plugin_ptr& plugin, const std::string& config) {
	std::string why;
	if(!plugin->init(config, why)) {
		throw std::runtime_error("init plugin " + plugin->name() + ": " + why);
	}
}

void open(sinsp& inspector, const plugin_ptr& plugin, const options& o) {
	if(o.capture.empty()) {
		inspector.open_plugin(plugin->name(), o.open, sinsp_plugin_platform::SINSP_PLATFORM_GENERIC);
	} else {
		inspector.open_savefile(o.capture, 0);
	}
	inspector.start_capture();
}

// next returns the next event, or nullptr at the end of the source or after a
// signal.
sinsp_evt* next(sinsp& inspector) {
	while(!stop) {
		sinsp_evt* event = nullptr;
		switch(inspector.next(&event)) {
		case SCAP_SUCCESS:
			return event;
		case SCAP_TIMEOUT:
		case SCAP_FILTERED_EVENT:
			continue;
		case SCAP_EOF:
			return nullptr;
		default:
			throw std::runtime_error("next event: " + inspector.getlasterr());
		}
	}
	return nullptr;
}

void print_match(const rule& r, sinsp_evt* event) {
	std::string text, fields;
	r.formatter->tostring_withformat(event, text, sinsp_evt_formatter::OF_NORMAL);
	r.formatter->tostring_withformat(event, fields, sinsp_evt_formatter::OF_JSON);
	print({{"rule", r.name},
	       {"source", event->get_source_name()},
	       {"text", text},
	       {"fields", json::parse(fields, nullptr, false)}});
}

// match prints the first rule that the event matches, or all of them: what Falco
// calls rule_matching.
void match(const std::vector<rule>& rules, sinsp_evt* event, bool all) {
	for(const auto& r : rules) {
		if(!r.filter->run(event)) {
			continue;
		}
		print_match(r, event);
		if(!all) {
			return;
		}
	}
}

// run matches events until the source ends, a signal comes or o.max is reached,
// and returns how many there were.
std::uint64_t run(sinsp& inspector, const std::vector<rule>& rules, const options& o) {
	std::uint64_t events = 0;
	while(o.max == 0 || events < o.max) {
		sinsp_evt* const event = next(inspector);
		if(event == nullptr) {
			break;
		}
		events++;
		match(rules, event, o.all);
	}
	return events;
}

int run_rules(sinsp& inspector, const plugin_ptr& plugin, const options& o) {
	auto rules = read_rules(o.rules);
	filter_check_list checks;
	add_checks(checks, plugin);
	if(!report(compile_rules(rules, inspector, checks))) {
		return rule_wrong;
	}
	if(o.command == "compile") {
		return done;
	}
	init_plugin(plugin, o.init);
	on_signals();
	open(inspector, plugin, o);
	print({{"ready", true}});
	const auto events = run(inspector, rules, o);
	inspector.stop_capture();
	inspector.close();
	print({{"events", events}});
	return done;
}

int do_command(const options& o) {
	sinsp inspector;
	const auto plugin = inspector.register_plugin(o.plugin);
	return o.command == "fields" ? print_fields(plugin) : run_rules(inspector, plugin, o);
}

}  // namespace

int main(int argc, char** argv) {
	try {
		return do_command(parse_options(argc, argv));
	} catch(const usage_error& e) {
		std::cerr << "fim-host: " << e.what << "\n" << usage;
		return usage_wrong;
	} catch(const std::exception& e) {
		std::cerr << "fim-host: " << e.what() << "\n";
		return failed;
	}
}
