"""Say the package's own sentences in the language of a form, and in the words of one who sees no code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING

from esms_frames.errors import EsmsError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esms_frames.widgets.labels import Words


@dataclass(frozen=True)
class Sentence:
    """A sentence as the package says it, and as a form does.

    Attributes
    ----------
    said : str
        The package's, with ``{names}`` where values stand. A value named ``…_said`` is such a sentence itself.
    vi : str
        In Vietnamese, with the same values.
    en : str
        In English; empty where the package's own does.
    """

    said: str
    vi: str
    en: str = ""


SENTENCES = (
    # Recipients
    Sentence(
        "Only {ready} of {rows} rows can be texted{others} and a batch needs {floor}: add recipients, correct the numbers, "
        "or, for customer care only, lower min_batch.",
        "Chỉ có {ready} trong {rows} dòng nhắn tin được, mà mỗi lô cần ít nhất {floor} số: hãy thêm người nhận hoặc sửa "
        "các số bị lỗi.",
        "Only {ready} of {rows} rows can be texted{others} and a batch needs {floor}: add recipients, or correct the "
        "numbers.",
    ),
    Sentence(
        "No column of the DataFrame looks like phone numbers (there are {columns}): name it with phone='…'{or_index}.",
        "Không cột nào có vẻ là số điện thoại (đang có {columns}): hãy chọn cột ở ô Cột số điện thoại.",
        "No column looks like phone numbers (there are {columns}): choose it above.",
    ),
    Sentence(
        "Several columns could hold the phone numbers, {columns}: name one with phone='…'.",
        "Có nhiều cột có thể là số điện thoại, {columns}: hãy chọn một cột ở ô Cột số điện thoại.",
        "Several columns could hold the phone numbers, {columns}: choose one above.",
    ),
    Sentence(
        "{count} columns are named {name}: rename all but one.",
        "Có {count} cột cùng tên {name}: hãy đổi tên để chỉ còn một.",
    ),
    Sentence(
        "The customers must be a DataFrame, not {kind}: pass a list as pd.DataFrame({{'phone': …}}).",
        "Danh sách phải là một DataFrame, không phải {kind}: hãy truyền vào dạng pd.DataFrame({{'phone': …}}).",
    ),
    Sentence(
        "{list} holds {count} entries of which it is not clear whom they mean (the first at position {place}: "
        "{problem_said}): give each number a row of its own, and nothing beside it.",
        "{list}: có {count} mục không rõ là số nào (mục đầu tiên ở vị trí {place}: {problem_said}). Hãy để mỗi số một "
        "dòng, không kèm chữ gì khác.",
    ),
    Sentence(
        "{list} has {count} entries and none is a mobile number: is it the right list?",
        "{list}: có {count} mục mà không mục nào là số di động, có đúng danh sách không?",
    ),
    Sentence(
        "{list} can't be read as a list of numbers; {why_said}", "{list}: không đọc được danh sách số. {why_said}"
    ),
    Sentence(
        "{list} is a DataFrame of which it is not clear which column holds the numbers: pass that column alone, df['…'].",
        "{list}: không rõ cột nào là số điện thoại, hãy lưu riêng cột đó thành một tệp.",
        "{list}: it is not clear which column holds the numbers, save that column as a file of its own.",
    ),
    Sentence("no number", "để trống"),
    Sentence("not a number", "không phải số điện thoại"),
    Sentence("rounded by a spreadsheet", "bị bảng tính làm tròn"),
    Sentence("several numbers in one cell", "nhiều số trong một ô"),
    Sentence("too few digits", "thiếu chữ số"),
    Sentence("too many digits", "thừa chữ số"),
    Sentence("landline, can't receive SMS", "số cố định, không nhận được SMS"),
    Sentence("number of another country", "số nước ngoài"),
    Sentence("no network has this prefix", "đầu số chưa cấp cho nhà mạng nào"),
    Sentence("same phone as an earlier row", "trùng số với một dòng phía trên"),
    Sentence("on the exclude list", "nằm trong danh sách không gửi lần này"),
    Sentence("on the do-not-contact list", "nằm trong danh sách không liên hệ"),
    Sentence("by this campaign, or about to be", "chiến dịch này đã gửi hoặc sắp gửi"),
    Sentence(
        "it would be more than {most} advertising messages to this number in 24 hours",
        "số này đã nhận đủ {most} tin quảng cáo trong 24 giờ",
    ),
    # Files
    Sentence(
        "{file} is of no known kind: use a .csv, .xlsx or .parquet file.",
        "{file} không phải loại tệp đọc được: hãy dùng tệp .csv, .xlsx hoặc .parquet.",
    ),
    Sentence(
        "{file} is empty: its first row must hold the names of the columns.",
        "{file} trống: hàng đầu tiên phải là tên các cột.",
    ),
    Sentence(
        "The first row of {file} holds a phone number instead of the names of the columns: put a row of "
        "names above it.",
        "Hàng đầu tiên của {file} là số điện thoại chứ không phải tên cột: hãy thêm một hàng tên cột ở trên cùng.",
    ),
    Sentence(
        "{file} has rows with more cells than names of columns: name every column, or take the cells out.",
        "{file} có dòng nhiều ô hơn số tên cột: hãy đặt tên cho mọi cột, hoặc xoá các ô thừa.",
    ),
    Sentence(
        "{file} is not a regular table{where}: look for a missing quote or for cells too many there.",
        "{file} không phải bảng đúng dạng: hãy tìm chỗ thiếu dấu ngoặc kép hoặc thừa ô.",
    ),
    Sentence(
        "{file} is no text file: save it as 'CSV UTF-8'.",
        "{file} không phải tệp văn bản: hãy lưu lại dưới dạng “CSV UTF-8”.",
    ),
    Sentence(
        "{file} is not UTF-8 and was read as Windows-1258: check the accents, and save it as 'CSV UTF-8' if they are "
        "wrong.",
        "{file} không phải UTF-8 nên được đọc theo Windows-1258: hãy xem dấu có đúng không, nếu sai thì lưu lại dưới dạng "
        "“CSV UTF-8”.",
    ),
    Sentence(
        "{file} can't be read as a spreadsheet: open it in Excel and save it anew, without a password.",
        "Không đọc được {file}: hãy mở bằng Excel rồi lưu lại, không đặt mật khẩu.",
    ),
    Sentence(
        "{file} has several sheets that could be meant: name one of {sheets}.",
        "{file} có nhiều trang tính có số điện thoại ({sheets}): hãy lưu trang cần gửi thành một tệp riêng.",
        "{file} has several sheets with phone numbers ({sheets}): save the one that is meant as a file of its own.",
    ),
    Sentence(
        "{file} can't be read as Parquet: write it anew where it comes from.",
        "Không đọc được {file} dưới dạng Parquet: hãy xuất lại từ nơi tạo ra nó.",
    ),
    Sentence(
        "{file} can't be written ({cause}): close it in other programs, make room on the disk, or choose another file.",
        "Không ghi được {file} ({cause}): hãy đóng tệp ở chương trình khác hoặc dọn chỗ trên ổ đĩa.",
    ),
    Sentence(
        "The folder {folder} is not there or can't be written to: choose another.",
        "Không ghi được vào thư mục {folder}: hãy mở notebook ở một thư mục ghi được.",
        "The folder {folder} can't be written to: open the notebook in one that can.",
    ),
    # Message
    Sentence(
        "content is empty: write the text that the recipients are to read.", "hãy viết nội dung tin.", "write the text."
    ),
    Sentence(
        "content holds the control character {sign}: take it out.",
        "nội dung có ký tự điều khiển {sign}: hãy xoá đi.",
        "the text holds the control character {sign}: take it out.",
    ),
    Sentence(
        "brandname is empty: write the sender name as it is registered with eSMS.",
        "hãy chọn hoặc nhập brandname đã đăng ký với eSMS.",
        "choose or write the brandname as it is registered with eSMS.",
    ),
    Sentence(
        "brandname {name} has {count} characters, carriers take {most}: write the sender name as it is registered with "
        "eSMS.",
        "brandname {name} dài {count} ký tự, nhà mạng chỉ nhận {most}: hãy nhập đúng tên đã đăng ký với eSMS.",
    ),
    Sentence(
        "brandname holds the control character {sign}: write the sender name as it is registered with eSMS.",
        "brandname có ký tự điều khiển {sign}: hãy nhập đúng tên đã đăng ký với eSMS.",
    ),
    Sentence(
        "send_at {when} (Vietnam time) is past: write a time like '2030-01-31 08:00' (Vietnam time), or leave it out to "
        "send at once.",
        "giờ hẹn {when} đã qua: hãy chọn giờ khác, hoặc gửi ngay.",
        "the schedule {when} is past: choose a later time, or send at once.",
    ),
    Sentence(
        "send_at {when} is past (it is {now} in Vietnam): choose a later time, or leave it out to send at once.",
        "Giờ hẹn {when} đã qua (bây giờ là {now}): hãy chọn giờ khác, hoặc gửi ngay.",
        "The schedule {when} is past (it is {now} now): choose a later time, or send at once.",
    ),
    Sentence(
        "campaign has {count} characters and the gateway takes {most}: shorten it.",
        "tên dài {count} ký tự, tối đa là {most}: hãy rút ngắn.",
    ),
    Sentence(
        "campaign holds the control character {sign}: take it out.", "tên có ký tự điều khiển {sign}: hãy xoá đi."
    ),
    Sentence(
        "Advertising may go out from {first}:00 to {last}:00 Vietnam time only (Decree 91/2020/ND-CP), and {when} is not: "
        "the next allowed time is {next}, schedule it with send_at='{_next}' or send_at=ef.next_allowed_time().",
        "Tin quảng cáo chỉ được gửi từ {first}:00 đến {last}:00 giờ Việt Nam (Nghị định 91/2020/NĐ-CP), còn {when} thì "
        "không: sớm nhất là {next}, hãy hẹn giờ ở bước 3.",
        "Advertising may go out from {first}:00 to {last}:00 Vietnam time only (Decree 91/2020/ND-CP), and {when} is not: "
        "the next allowed time is {next}, schedule it in step 3.",
    ),
    # Gateway
    Sentence(
        "{key} is empty or holds unusual characters: copy it again from your eSMS account.",
        "{key} trống hoặc có ký tự lạ: hãy chép lại từ tài khoản eSMS.",
    ),
    Sentence(
        "No connection to {where} ({cause}), so nothing was sent: check the network and the address, then try again.",
        "Không kết nối được tới {where} ({cause}), nên chưa gửi gì: hãy xem lại mạng rồi thử lại.",
    ),
    Sentence(
        "{where} did not answer in time ({cause}): it is uncertain whether it took the request.",
        "{where} không trả lời kịp ({cause}): chưa rõ đã nhận yêu cầu hay chưa.",
    ),
    Sentence(
        "{where} did not answer ({cause}): it is uncertain whether it took the request.",
        "{where} không trả lời ({cause}): chưa rõ đã nhận yêu cầu hay chưa.",
    ),
    Sentence(
        "The gateway answered with HTTP {status} and no JSON object ({excerpt}): what became of the request is not known, "
        "ask again later.",
        "Nhà cung cấp trả lời không đúng dạng (HTTP {status}): chưa rõ kết quả, hãy thử lại sau.",
    ),
    Sentence(
        "The gateway's answer holds no {what} ({excerpt}): what became of the request is not known, ask again later.",
        "Nhà cung cấp trả lời thiếu thông tin ({what}): chưa rõ kết quả, hãy thử lại sau.",
    ),
    Sentence(
        "The gateway could not be asked about everything: {error_said}",
        "Chưa hỏi được hết thông tin. {error_said}",
    ),
    # Plan
    Sentence(
        "Nothing was sent: {problem_said} ({more} more: see ef.plan)",
        "Chưa gửi gì: {problem_said} Hãy kiểm tra lại (bước 4).",
        "Nothing was sent: {problem_said} Check it again (step 4).",
    ),
    Sentence("Nothing was sent: {problem_said}", "Chưa gửi gì: {problem_said}"),
    Sentence("Nobody is left to be texted.", "Không còn ai để gửi."),
    Sentence(
        "Accents cost {saved} of the {total} parts: message.without_accents() would save them, some {share} "
        "of the price.",
        "Dấu tiếng Việt chiếm {saved} trong {total} tin: bấm Bỏ dấu ở bước 3 sẽ bớt được chừng {share} giá tiền.",
        "Accents cost {saved} of the {total} parts: strip them in step 3 and save some {share} of the price.",
    ),
    Sentence(
        "The text holds {{{field}}} as it stands: fill it in with message.for_each(df), or send it so with "
        "checks=False.",
        "Nội dung còn {{{field}}} chưa được điền: khách hàng sẽ thấy đúng như vậy, hãy sửa lại.",
        "The text holds {{{field}}} as it stands, and customers would read it so: correct it.",
    ),
    Sentence(
        "{count} recipients that an interrupted run has left are not in this data, and are texted too.",
        "{count} người từ lần gửi dở trước không có trong danh sách này, và cũng sẽ được gửi.",
    ),
    Sentence(
        "{count} unfinished {batches} can't be sent as planned: {why_said}",
        "{count} lô gửi dở không gửi tiếp được như đã định: {why_said}",
    ),
    Sentence(
        "It holds somebody who is not to be texted now, and it can't be replaced by a batch of the others.",
        "trong lô có người không được gửi nữa, và những người còn lại không đủ để lập lô mới.",
    ),
    Sentence(
        "Its schedule is past: send to it with a later one, or with none.",
        "giờ hẹn đã qua: hãy gửi lại với giờ hẹn khác, hoặc gửi ngay.",
    ),
    Sentence(
        "The brandname {name} is not registered for {kind_said} in this account: did you mean {near}?",
        "Brandname {name} chưa đăng ký cho loại {kind_said} trong tài khoản này: có phải ý bạn là {near}?",
    ),
    Sentence(
        "The brandname {name} is not registered for {kind_said} in this account: it has {names}.",
        "Brandname {name} chưa đăng ký cho loại {kind_said} trong tài khoản này: tài khoản có {names}.",
    ),
    Sentence("customer care", "chăm sóc khách hàng"),
    Sentence("advertising", "quảng cáo"),
    Sentence(
        "The gateway lists no templates of {name}, and customer care has to fit one (code 146 if not).",
        "Brandname {name} chưa có mẫu tin nào, mà tin chăm sóc khách hàng phải khớp mẫu (nếu không sẽ bị từ "
        "chối, mã 146).",
    ),
    Sentence(
        "There is no registered template that the text could fit: register one with eSMS.",
        "Chưa có mẫu tin nào để khớp với nội dung: hãy đăng ký mẫu với eSMS.",
    ),
    Sentence(
        "The text fits no registered template: the nearest, {template}, has the end of the text after {place_said}, where "
        "the text has {found}.",
        "Nội dung không khớp mẫu nào đã đăng ký: mẫu gần nhất là {template}, mẫu đã hết ở vị trí {place_said} mà nội dung "
        "còn {found}.",
    ),
    Sentence(
        "The text fits no registered template: the nearest, {template}, has {expected} after {place_said}, where the text "
        "has {found}.",
        "Nội dung không khớp mẫu nào đã đăng ký: mẫu gần nhất là {template}, ở vị trí {place_said} mẫu có {expected} mà "
        "nội dung có {found}.",
    ),
    Sentence(
        "The text fits no registered template: the nearest, {template}, has {expected} after {place_said}, where the text "
        "ends.",
        "Nội dung không khớp mẫu nào đã đăng ký: mẫu gần nhất là {template}, ở vị trí {place_said} mẫu còn {expected} mà "
        "nội dung đã hết.",
    ),
    Sentence("{count} characters", "{count}"),
    Sentence("1 character", "1"),
    Sentence(
        "The text fits a template of {networks} only, and some numbers are of {others}: register it there too, or expect "
        "refusals.",
        "Nội dung chỉ khớp mẫu của {networks}, mà có số thuộc {others}: hãy đăng ký mẫu với các mạng đó, nếu không sẽ bị "
        "từ chối.",
    ),
    Sentence(
        "The price of {price} VND is more than the balance of {balance} VND: top up the account, or send to fewer.",
        "Giá {price} đ vượt quá số dư {balance} đ: hãy nạp thêm tiền, hoặc gửi cho ít người hơn.",
    ),
    # Results
    Sentence("{why_said} (delivery: {delivery_said})", "{why_said} (phát tin: {delivery_said})"),
    Sentence(
        "the send is a draft at the gateway (SendStatus 0)", "đợt gửi còn là bản nháp ở nhà cung cấp (SendStatus 0)"
    ),
    Sentence(
        "the send awaits approval at the gateway (SendStatus 1)", "đợt gửi đang chờ nhà cung cấp duyệt (SendStatus 1)"
    ),
    Sentence(
        "the send waits for its time at the gateway (SendStatus 2)",
        "đợt gửi đang chờ đến giờ hẹn ở nhà cung cấp (SendStatus 2)",
    ),
    Sentence(
        "the callbacks count {delivered} of {recipients} delivered and don't say which",
        "callback báo {delivered} trong {recipients} số đã nhận, chưa rõ là những số nào",
    ),
    Sentence(
        "the callbacks count other recipients than there are rows", "số người nhận trong callback khác với số dòng"
    ),
    Sentence(
        "Only {count} of the numbers are new to the campaign {campaign} and a batch needs {floor}: send them with more "
        "recipients, or under another campaign.",
        "Chỉ có {count} số mới trong chiến dịch {campaign} mà mỗi lô cần {floor}: hãy gửi cùng nhiều người hơn, hoặc dùng "
        "tên chiến dịch khác.",
    ),
    Sentence("Sent by another run, on {when}.", "Đã gửi trước đó, ngày {when}."),
    Sentence("It is planned and not sent yet.", "Đã lên kế hoạch, chưa gửi."),
    Sentence(
        "A run was cut short while it was sending this: resume the campaign.",
        "Lần gửi trước bị ngắt giữa chừng: hãy bấm Gửi tiếp.",
        "A run was cut short while it was sending this: resume it.",
    ),
    Sentence("Another run withdrew its batch before it was sent.", "Một lần gửi khác đã rút lô này trước khi gửi."),
    Sentence("The number is not in the campaign {campaign}.", "Số này không có trong chiến dịch {campaign}."),
    Sentence("the run was interrupted", "lần gửi bị dừng"),
    Sentence("the gateway could not be reached: {error_said}", "không kết nối được. {error_said}"),
    Sentence(
        "batch {number} was refused for a reason that holds for all: {error_said}",
        "lô {number} bị từ chối vì một lý do chung cho tất cả. {error_said}",
    ),
    Sentence(
        "{count} batches in a row got no answer, the last: {error_said}",
        "{count} lô liên tiếp không có trả lời. {error_said}",
    ),
    Sentence(
        "An earlier attempt got no answer, and then: {error_said}", "Lần thử trước không có trả lời, rồi: {error_said}"
    ),
    Sentence(
        "It was refused before, and now the gateway says that it has it: {error_said}",
        "Lần trước bị từ chối, nay nhà cung cấp báo là đã có: {error_said}",
    ),
    Sentence(
        "The gateway had this batch from a run that this journal does not know: {error_said}",
        "Nhà cung cấp đã nhận lô này từ một lần gửi mà sổ trên máy này không có: {error_said}",
    ),
    Sentence(
        "Too much time has passed for it to be sent without asking the gateway first: resume the campaign.",
        "Đã quá lâu nên phải hỏi nhà cung cấp trước khi gửi: hãy bấm Gửi tiếp.",
        "Too much time has passed for it to be sent without asking the gateway first: resume it.",
    ),
    Sentence(
        "This machine's clock is not the gateway's, so nothing is repeated: set it right.",
        "Đồng hồ máy này lệch với nhà cung cấp nên không gửi lại: hãy chỉnh giờ máy.",
    ),
    Sentence(
        "It holds somebody who is not to be texted now, and it can't be replaced by a batch of the others.",
        "Lô này có người không được gửi nữa, và không thay bằng lô khác được.",
    ),
    Sentence("The gateway's records show that it was not taken.", "Nhà cung cấp cho biết chưa nhận lô này."),
    Sentence(
        "The gateway had to be asked first, and could not be: {error_said}",
        "Phải hỏi nhà cung cấp trước mà chưa hỏi được. {error_said}",
    ),
    Sentence("it could not be asked for: {error_said}", "chưa hỏi được. {error_said}"),
    Sentence(
        "There is nobody to ask: pass a client, or callbacks from ef.read_callbacks.",
        "Chưa có kết nối để hỏi: hãy kết nối ở bước 1.",
        "There is nobody to ask: connect in step 1.",
    ),
    # Journal
    Sentence(
        "The journal {where} can't be opened for writing ({cause}): name another file with ESMS_JOURNAL or journal=…",
        "Không mở được sổ gửi tin {where} để ghi ({cause}): hãy nhờ người phụ trách xem lại thư mục đó.",
    ),
    Sentence(
        "The journal {where} is kept locked by another program: close it there, then try again.",
        "Sổ gửi tin {where} đang bị chương trình khác giữ: hãy đóng chương trình đó rồi thử lại.",
    ),
    Sentence(
        "The journal {where} can't be reached: see that its server runs and the network is there, then try again.",
        "Không kết nối được với sổ gửi tin {where}: hãy xem máy chủ và mạng, rồi thử lại.",
    ),
    Sentence(
        "The journal {where} does not let this user in: check user and password, which can stand in PGPASSWORD or "
        "~/.pgpass.",
        "Sổ gửi tin {where} không cho tài khoản này vào: hãy nhờ người phụ trách xem lại tên và mật khẩu.",
    ),
    Sentence(
        "The journal {where} was kept locked by another program for {count} seconds: see what runs there, then try again.",
        "Sổ gửi tin {where} bị chương trình khác giữ suốt {count} giây: hãy xem đang chạy gì ở đó rồi thử lại.",
    ),
    Sentence(
        "The connection to the journal {where} was lost, and it is not known whether the last change was written: do the "
        "same again.",
        "Mất kết nối với sổ gửi tin {where}, chưa rõ thay đổi vừa rồi đã ghi hay chưa: hãy làm lại lần nữa.",
    ),
    Sentence(
        "The journal {where} is not there: create the database, or check its name.",
        "Không có cơ sở dữ liệu của sổ gửi tin {where}: hãy nhờ người phụ trách tạo, hoặc xem lại tên.",
    ),
    Sentence(
        "The journal {where} has no schema of the name that its address gives: have it created (CREATE SCHEMA), or check "
        "its name.",
        "Sổ gửi tin {where} không có schema như trong địa chỉ: hãy nhờ người phụ trách tạo, hoặc xem lại tên.",
    ),
    Sentence(
        "The journal {where} may not be used so by this user: have the owner of its database grant it.",
        "Tài khoản này không đủ quyền dùng sổ gửi tin {where}: hãy nhờ người phụ trách cấp quyền.",
    ),
    Sentence(
        "The journal {where} can't hold Vietnamese: create its database with the encoding UTF8.",
        "Sổ gửi tin {where} không lưu được tiếng Việt: hãy nhờ người phụ trách tạo cơ sở dữ liệu với bảng mã UTF8.",
    ),
    Sentence(
        "The journal {where} took longer than its server allows (statement_timeout): ask who keeps the server, then try "
        "again.",
        "Sổ gửi tin {where} xử lý lâu hơn mức máy chủ cho phép (statement_timeout): hãy hỏi người phụ trách rồi thử lại.",
    ),
    Sentence(
        'The journal {where} needs the driver psycopg: pip install "esms-frames[team]", then try again.',
        'Sổ gửi tin {where} cần cài thêm psycopg: hãy chạy pip install "esms-frames[team]" rồi thử lại.',
    ),
    Sentence(
        "The journal's address is no database URL: write it like postgresql+psycopg://user@host/name, or name a file.",
        "Địa chỉ sổ gửi tin không đúng dạng: hãy viết như postgresql+psycopg://user@host/name, hoặc dùng một tệp.",
    ),
    Sentence(
        "The journal {where} is on a server with fsync = {value}, which forgets in a power cut what was sent: have it "
        "switched on.",
        "Máy chủ của sổ gửi tin {where} đặt fsync = {value}, mất điện sẽ mất dữ liệu đã gửi: hãy nhờ người phụ trách bật "
        "lên.",
    ),
    Sentence(
        "The journal {where} has no room left on its disk: make room, then resume the campaign.",
        "Ổ đĩa của sổ gửi tin {where} đã đầy: hãy dọn chỗ rồi bấm Gửi tiếp.",
    ),
    Sentence(
        "The journal {where} can't be written to: check its permissions, or name another file.",
        "Không ghi được sổ gửi tin {where}: hãy xem quyền của tệp, hoặc dùng tệp khác.",
    ),
    Sentence(
        "The journal {where} is no journal, or corrupt: restore it from a copy, or name another file.",
        "Sổ gửi tin {where} bị hỏng hoặc không phải sổ gửi tin: hãy khôi phục từ bản sao, hoặc dùng tệp khác.",
    ),
    Sentence(
        "The journal {where} is corrupt: restore it from a copy, or name another file.",
        "Sổ gửi tin {where} bị hỏng: hãy khôi phục từ bản sao, hoặc dùng tệp khác.",
    ),
)
"""What a form may have to say of the package's sentences, the more special ones first."""

CODES_VI: Mapping[int, tuple[str, str]] = {
    99: ("có số bị chặn trong hệ thống", "hỏi eSMS đó là số nào rồi bỏ ra"),
    101: ("sai ApiKey hoặc SecretKey", "chép lại cả hai khoá từ tài khoản eSMS"),
    102: ("tài khoản chưa có bảng giá", "nhờ eSMS đặt bảng giá"),
    103: ("số dư không đủ", "nạp thêm tiền"),
    104: ("brandname không có hoặc chưa hoạt động", "kiểm tra lại tên (phân biệt chữ hoa chữ thường) với eSMS"),
    105: ("chưa tìm thấy SMSID", "hỏi lại sau một phút"),
    107: ("chưa đủ 30 số khác nhau", "gửi cho ít nhất 30 số một lần"),
    108: ("có số sai định dạng", "kiểm tra lại cột số điện thoại"),
    118: ("loại tin không được hỗ trợ", "chọn Chăm sóc khách hàng hoặc Quảng cáo"),
    120: ("quá nhiều số trong một lần", "gửi tối đa 5.000 số một lần"),
    124: ("yêu cầu này đã được nhận trong 24 giờ qua", "không gửi lại"),
    140: ("địa chỉ IP của máy này chưa được cho phép", "thêm IP trong tài khoản eSMS"),
    143: ("tài khoản bị khoá hoặc chưa kích hoạt", "nhờ eSMS mở khoá"),
    146: ("nội dung không khớp mẫu chăm sóc khách hàng nào", "dùng đúng mẫu, hoặc đăng ký mẫu cho nội dung này"),
    160: ("gửi quá nhiều yêu cầu mỗi giây", "gửi lại chậm hơn"),
    163: ("loại tin này chỉ cho một số mỗi lần", "hỏi eSMS về loại tài khoản của bạn"),
    177: ("có nhà mạng chưa đăng ký brandname này", "đăng ký nhà mạng đó, hoặc bỏ các số của mạng đó"),
    199: ("yêu cầu này đang được xử lý", "hỏi lại sau một phút"),
    201: ("nội dung có từ bị cấm", "viết lại nội dung"),
    300: ("thiếu loại tin", "chọn Chăm sóc khách hàng hoặc Quảng cáo"),
}
"""The gateway's codes in Vietnamese: what each means, and what to do."""

_OTHER_CODE_VI = ("bị từ chối vì lý do không có trong bảng mã", "hỏi eSMS mã này nghĩa là gì")
_REFUSED = re.compile(r"The gateway refused with code (\d+), .*", re.DOTALL)
_NUMBER = re.compile(r"\d{1,3}(,\d{3})+")


def told(found: Exception | str, words: Words) -> str:
    """Say an error or a sentence for people, in one sentence of the form's language."""
    if isinstance(found, Exception) and not isinstance(found, EsmsError):
        return words("error_unexpected", kind=type(found).__name__)
    if isinstance(found, Refused) and words.lang == "vi":
        return _refused(found.code)
    text = str(found)
    said = _said(text, words)
    return said if said is not None else words("error_detail", problem=text) if text.endswith(".") else text


def _said(text: str, words: Words) -> str | None:
    if words.lang == "vi" and (refused := _REFUSED.fullmatch(text)):
        return _refused(int(refused[1]))
    for pattern, sentence in _patterns():
        if found := pattern.fullmatch(text):
            template = sentence.vi if words.lang == "vi" else sentence.en or sentence.said
            values = {name: _value(name, value, words) for name, value in found.groupdict().items()}
            return template.format(**values)
    return None


def _value(name: str, value: str, words: Words) -> str:
    if name.endswith("_said"):
        return _said(value, words) or value
    return value.replace(",", ".") if words.lang == "vi" and _NUMBER.fullmatch(value) else value


def _refused(code: int) -> str:
    meaning, advice = CODES_VI.get(code, _OTHER_CODE_VI)
    return f"Nhà cung cấp từ chối với mã {code}, {meaning}: hãy {advice}."


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Sentence], ...]:
    return tuple((pattern_of(sentence.said), sentence) for sentence in SENTENCES)


def pattern_of(said: str) -> re.Pattern[str]:
    """Make the pattern by which a sentence is known again, and its values are taken out of it."""
    pieces = Formatter().parse(said)
    return re.compile(
        "".join(re.escape(text) + (f"(?P<{name}>.*?)" if name else "") for text, name, *_ in pieces), re.DOTALL
    )
