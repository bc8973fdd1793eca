//! Tells private (incognito) windows of browsers by what they add to their titles.

/// Words of browsers' names; the marker may be an ordinary word in other programs.
const BROWSERS: &[&str] = &[
    "firefox",
    "librewolf",
    "waterfox",
    "palemoon",
    "iceweasel",
    "floorp",
    "zen",
    "tor",
    "chrome",
    "chromium",
    "edge",
    "msedge",
    "brave",
    "opera",
    "vivaldi",
    "safari",
    "arc",
    "yandex",
    "epiphany",
    "duckduckgo",
    "navigator",
    "browser",
    "iexplore",
    "whale",
    "thorium",
    "qutebrowser",
    "falkon",
    "konqueror",
    "midori",
];

/// Parts of browsers' names, for names that are written as one word.
const BROWSER_PARTS: &[&str] = &["firefox", "chrom", "browser", "safari"];

/// Markers in lower case, in the languages in which the main browsers mark their windows.
/// They stand at a title's end, or before or after the browser's name.
const MARKERS: &[&str] = &[
    // English: Chromium, Firefox and Safari, Edge, Tor, Opera.
    "incognito",
    "private browsing",
    "private window",
    "inprivate",
    "private mode",
    "(private)",
    "tor browser",
    // German.
    "inkognito",
    "privater modus",
    "privates fenster",
    "privates surfen",
    "privater tab",
    // French.
    "navigation privée",
    "fenêtre privée",
    "mode privé",
    "fenêtre de navigation privée",
    // Spanish.
    "navegación privada",
    "incógnito",
    "ventana privada",
    "modo privado",
    // Portuguese.
    "navegação privada",
    "navegação privativa",
    "janela privada",
    "janela anônima",
    "anônima",
    "navegação anônima",
    // Italian.
    "navigazione anonima",
    "navigazione in incognito",
    "finestra anonima",
    "navigazione privata",
    // Dutch.
    "privénavigatie",
    "privévenster",
    "privé-modus",
    "privémodus",
    "incognitomodus",
    // Polish, Czech, Slovak.
    "prywatne",
    "tryb prywatny",
    "przeglądanie prywatne",
    "anonimní",
    "anonymní",
    "soukromé prohlížení",
    "súkromné prehliadanie",
    "anonymný",
    // Nordic.
    "privat surfning",
    "privat surfing",
    "privat browsing",
    "privat fönster",
    "privat nettlesing",
    "privat vindu",
    "privat vindue",
    "inkognitotila",
    "yksityinen selaus",
    "yksityinen ikkuna",
    // Hungarian, Romanian, Bulgarian, Greek, Turkish.
    "privát böngészés",
    "inkognitó",
    "navigare privată",
    "fereastră privată",
    "поверително сърфиране",
    "инкогнито",
    "ιδιωτική περιήγηση",
    "ανώνυμη περιήγηση",
    "gizli gezinti",
    "gizli pencere",
    "gizli",
    // Russian, Ukrainian.
    "приватный просмотр",
    "приватное окно",
    "режим инкогнито",
    "приватний перегляд",
    "анонімний",
    "анонимный",
    // Chinese, Japanese, Korean.
    "无痕",
    "無痕",
    "隐身",
    "隱身",
    "隐私浏览",
    "隐私窗口",
    "隱私瀏覽",
    "隱私視窗",
    "私密浏览",
    "私密瀏覽",
    "シークレット",
    "プライベートブラウジング",
    "プライベートウィンドウ",
    "プライベート",
    "시크릿",
    "사생활 보호",
    "비공개",
    // Arabic, Hebrew, Hindi, Thai, Vietnamese, Indonesian.
    "التصفح المتخفي",
    "تصفح خاص",
    "نافذة خاصة",
    "גלישה בסתר",
    "גלישה פרטית",
    "गुप्त",
    "निजी ब्राउज़िंग",
    "ไม่ระบุตัวตน",
    "ท่องเว็บแบบส่วนตัว",
    "ẩn danh",
    "duyệt web riêng tư",
    "penyamaran",
    "penjelajahan pribadi",
];

/// Whether a window is a browser's private one.
///
/// A page can put a marker into its own title; its window is then left out as well,
/// which errs on the side of silence.
#[must_use]
pub fn is_private(app: &str, title: &str) -> bool {
    let app = app.to_lowercase();
    if app.contains("inprivate") || app.contains("incognito") || app.starts_with("tor browser") {
        return true;
    }
    let browser = BROWSER_PARTS.iter().any(|part| app.contains(part))
        || app
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| BROWSERS.contains(&word));
    if !browser {
        return false;
    }
    let title = title.to_lowercase();
    let tail = tail(&title);
    MARKERS.iter().any(|marker| tail.contains(marker))
}

/// What separates the parts of a title.
const SEPARATORS: &[&str] = &[" - ", " – ", " — ", " | ", " (", " [", "（"];

/// The last two parts of a title (`Page — Mozilla Firefox — Private Browsing`), where the
/// browser adds its marker, or all of it where it has fewer: a page about privacy is no
/// private window.
fn tail(title: &str) -> &str {
    let last = |text: &str| SEPARATORS.iter().filter_map(|s| text.rfind(s)).max();
    last(title)
        .and_then(|end| last(&title[..end]))
        .map_or(title, |start| &title[start..])
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn private_windows_of_browsers_are_told_by_their_titles() {
        for (app, title) in [
            ("firefox", "Anna's page — Mozilla Firefox Private Browsing"),
            (
                "firefox",
                "Anna's page — Mozilla Firefox (Private Browsing)",
            ),
            ("firefox", "Mozilla Firefox Private Browsing"),
            ("firefox.exe", "Seite – Mozilla Firefox Privater Modus"),
            ("firefox", "Page — Navigation privée de Mozilla Firefox"),
            ("Google-chrome", "Page - Google Chrome (Incognito)"),
            ("chrome", "Seite - Google Chrome (Inkognito)"),
            ("chrome", "New Incognito Tab - Google Chrome"),
            ("chrome", "ページ - Google Chrome (シークレット)"),
            ("chrome", "页面 - Google Chrome (无痕模式)"),
            ("chrome", "페이지 - Chrome(시크릿 모드)"),
            ("chromium", "Página - Chromium (incógnito)"),
            ("msedge", "Page - [InPrivate] - Microsoft Edge"),
            (
                "Microsoft Edge",
                "Page - Profile 1 - Microsoft\u{200b} Edge InPrivate",
            ),
            ("opera", "Page - Opera (Private)"),
            ("Brave Browser", "Page - Brave (Private window)"),
            ("Tor Browser", "Page"),
            ("vivaldi", "Page - Vivaldi (private window)"),
        ] {
            assert!(is_private(app, title), "{app}: {title}");
        }
    }

    #[test]
    fn ordinary_windows_are_not() {
        for (app, title) in [
            (
                "firefox",
                "Private browsing explained - A - Mozilla Firefox",
            ),
            ("chrome", "Page - Google Chrome"),
            ("excel", "Incognito.xlsx - Excel"),
            ("text-editor", "Private window - Editor"),
            ("", ""),
            ("remote-desktop", "remote-desktop"),
        ] {
            assert!(!is_private(app, title), "{app}: {title}");
        }
    }
}
