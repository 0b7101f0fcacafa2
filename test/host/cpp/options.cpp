// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <map>
#include <stdexcept>
#include <vector>

const char usage[] =
        "usage: fim-host fields  PLUGIN\n"
        "       fim-host compile PLUGIN RULES\n"
        "       fim-host run     PLUGIN RULES [--init CONFIG] [--open PARAMS | --capture FILE]\n"
        "                [--max N] [--all]\n"
        "\n"
        "A plugin host on libsinsp. Rules are checked and run as Falco runs those of a\n"
        "plugin's source: with the generic evt.* fields and the plugin's own, no others.\n"
        "RULES is a JSON array of {\"name\", \"condition\", \"output\"}, macros and lists\n"
        "expanded; - reads it from standard input. Results are JSON lines on standard output.\n"
        "Of the rules that match an event the first is printed, as in Falco by default; --all\n"
        "prints all. SIGINT and SIGTERM end a run.\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 3 a rule does not compile.\n";

namespace {

std::uint64_t number(const std::string& text) {
	std::size_t end = 0;
	std::uint64_t n = 0;
	try {
		n = std::stoull(text, &end);
	} catch(const std::logic_error&) {
		end = 0;
	}
	if(end == 0 || end != text.size()) {
		throw usage_error{"--max wants a number, not '" + text + "'"};
	}
	return n;
}

// set gives a flag its value, which is null at the end of the line.
void set(options& o, const std::string& flag, const std::string* value) {
	const std::map<std::string, std::string*> texts{
	        {"--init", &o.init}, {"--open", &o.open}, {"--capture", &o.capture}};
	const auto text = texts.find(flag);
	if(text == texts.end() && flag != "--max") {
		throw usage_error{"unknown argument '" + flag + "'"};
	}
	if(value == nullptr) {
		throw usage_error{flag + " wants a value"};
	}
	if(text != texts.end()) {
		*text->second = *value;
	} else {
		o.max = number(*value);
	}
}

// take_flags reads what args holds from its position i on.
void take_flags(options& o, const std::vector<std::string>& args, std::size_t i) {
	for(; i < args.size(); i++) {
		if(args[i] == "--all") {
			o.all = true;
			continue;
		}
		set(o, args[i], i + 1 < args.size() ? &args[i + 1] : nullptr);
		i++;
	}
}

}  // namespace

options parse_options(int argc, char** argv) {
	const std::vector<std::string> args(argv + 1, argv + argc);
	options o;
	if(args.size() >= 2 && args[0] == "fields") {
		o.command = args[0];
		o.plugin = args[1];
		take_flags(o, args, 2);
		return o;
	}
	if(args.size() < 3 || (args[0] != "compile" && args[0] != "run")) {
		throw usage_error{"want a command with its arguments"};
	}
	o.command = args[0];
	o.plugin = args[1];
	o.rules = args[2];
	take_flags(o, args, 3);
	if(!o.open.empty() && !o.capture.empty()) {
		throw usage_error{"--open and --capture exclude each other"};
	}
	return o;
}
