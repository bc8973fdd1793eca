"""A small real GTK 3 program that tests drive with synthetic input.

It prints one JSON line when its window is mapped, with where each widget lies on the screen (pixels), and one line
for each thing that the person (the test) did to it, so that a test can tell "arrived at the program" from "captured".
"""
import json
import sys

import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk  # noqa: E402


def say(**fields):
    print(json.dumps(fields), flush=True)


class Program:
    def __init__(self, title):
        self.window = Gtk.Window(title=title)
        self.window.set_default_size(640, 420)
        self.window.connect("destroy", Gtk.main_quit)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, margin=12)
        self.window.add(box)
        self.widgets = {}

        menu_bar = Gtk.MenuBar()
        file_item = Gtk.MenuItem(label="File")
        menu = Gtk.Menu()
        self.menu_entry = Gtk.MenuItem(label="Duplicate")
        self.menu_entry.connect("activate", lambda _: self.answer("menu"))
        menu.append(self.menu_entry)
        file_item.set_submenu(menu)
        menu_bar.append(file_item)
        box.pack_start(menu_bar, False, False, 0)
        self.widgets["file_menu"] = file_item

        self.status = Gtk.Label(label="Ready")
        self.count = 0
        self.add(box, "live", Gtk.Button(label="Apply changes"), "clicked")
        dead = Gtk.Button(label="Refresh list")
        dead.connect("clicked", lambda _: say(clicked="dead"))
        self.widgets["dead"] = dead
        box.pack_start(dead, False, False, 0)
        unnamed = Gtk.Button()
        unnamed.set_image(Gtk.DrawingArea())
        unnamed.set_size_request(80, 30)
        self.add(box, "unnamed", unnamed, "clicked")
        self.add(box, "check", Gtk.CheckButton(label="Remember"), "toggled")
        entry = Gtk.Entry()
        entry.get_accessible().set_name("Reason")
        entry.connect("changed", lambda _: say(changed="entry"))
        entry.connect("focus-in-event", lambda *_: say(focused="entry"))
        self.widgets["entry"] = entry
        box.pack_start(entry, False, False, 0)
        password = Gtk.Entry(visibility=False, input_purpose=Gtk.InputPurpose.PASSWORD)
        password.get_accessible().set_name("hunter2-never-read")
        self.widgets["password"] = password
        box.pack_start(password, False, False, 0)
        notebook = Gtk.Notebook()
        for page in ("General", "Details"):
            label = Gtk.Label(label=page)
            notebook.append_page(Gtk.Label(label=f"Page {page}"), label)
            self.widgets[f"tab_{page.lower()}"] = label
        box.pack_start(notebook, True, True, 0)
        box.pack_start(self.status, False, False, 0)

        self.window.connect("map-event", lambda *_: GLib.timeout_add(300, self.report))
        GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, self.command)
        self.window.show_all()

    def add(self, box, name, widget, signal):
        widget.connect(signal, lambda _: self.answer(name))
        self.widgets[name] = widget
        box.pack_start(widget, False, False, 0)

    def answer(self, name):
        self.count += 1
        self.status.set_text(f"Done {self.count}")
        say(clicked=name)

    def report(self):
        places = {}
        for name, widget in self.widgets.items():
            gdk_window = widget.get_window()
            if gdk_window is None:
                continue
            _, left, top = gdk_window.get_origin()
            area = widget.get_allocation()
            places[name] = [left + area.x + area.width // 2, top + area.y + area.height // 2]
        say(ready=True, places=places)
        return False

    def command(self, source, condition):
        line = source.readline() if condition & GLib.IO_IN else ""
        if not line:
            Gtk.main_quit()
            return False
        command, _, argument = line.rstrip("\n").partition(" ")
        if command == "title":
            self.window.set_title(argument)
        elif command == "report":
            self.report()
        return True


Program(sys.argv[1] if len(sys.argv) > 1 else "Snag test program")
Gtk.main()
