# Pictures independent of the training renderer: Pillow text in DejaVu faces and freehand polylines drawn by Pillow, saved as PNG and JPEG.
import os
import random
from PIL import Image, ImageDraw, ImageFont, ImageFilter
random.seed(7)
F='/usr/share/fonts/truetype/dejavu/'
out=os.path.dirname(os.path.abspath(__file__)) + '/'
def printed(d, face, size, wh, fg, bg, name, angle=0, off=(0,0), blur=0, quality=None):
    im=Image.new('RGB', wh, bg)
    layer=Image.new('L', wh, 0)
    f=ImageFont.truetype(F+face, size)
    dr=ImageDraw.Draw(layer)
    dr.text((wh[0]/2+off[0], wh[1]/2+off[1]), d, font=f, fill=255, anchor='mm')
    layer=layer.rotate(angle, resample=Image.BICUBIC)
    im.paste(Image.new('RGB', wh, fg), (0,0), layer)
    if blur: im=im.filter(ImageFilter.GaussianBlur(blur))
    save(im,name,quality)
def save(im,name,quality):
    if name.endswith('.jpg'): im.save(out+name, quality=quality or 80)
    else: im.save(out+name, optimize=True)
def spline(pts, n=24):
    # Catmull-Rom through points plotted by hand
    p=[pts[0]]+pts+[pts[-1]]
    res=[]
    for i in range(1,len(p)-2):
        for k in range(n):
            t=k/n
            q=[]
            for a in (0,1):
                p0,p1,p2,p3=p[i-1][a],p[i][a],p[i+1][a],p[i+2][a]
                q.append(0.5*(2*p1+(p2-p0)*t+(2*p0-5*p1+4*p2-p3)*t*t+(3*p1-p0-3*p2+p3)*t**3))
            res.append(tuple(q))
    res.append(pts[-1])
    return res
def written(strokes, wh, pen, fg, bg, name, paper=None, quality=None, blur=0.0):
    S=3
    im=Image.new('RGB',(wh[0]*S,wh[1]*S),bg)
    dr=ImageDraw.Draw(im)
    if paper=='squared':
        for x in range(0,wh[0]*S,22*S): dr.line([(x,0),(x,wh[1]*S)],fill=(205,220,235),width=S)
        for y in range(0,wh[1]*S,22*S): dr.line([(0,y),(wh[0]*S,y)],fill=(205,220,235),width=S)
    for st in strokes:
        for x,y in spline(st):
            r=pen*S/2*(0.85+0.3*random.random())
            dr.ellipse([x*S-r,y*S-r,x*S+r,y*S+r],fill=fg)
    im=im.resize(wh,Image.LANCZOS)
    if blur: im=im.filter(ImageFilter.GaussianBlur(blur))
    px=im.load()
    for y in range(wh[1]):
        for x in range(wh[0]):
            n=random.gauss(0,4); px[x,y]=tuple(max(0,min(255,int(c+n))) for c in px[x,y])
    save(im,name,quality)
printed('0','DejaVuSerif-Bold.ttf',120,(128,150),(20,20,20),(250,250,245),'print-0.png')
printed('1','DejaVuSans.ttf',90,(120,120),(255,255,255),(30,60,120),'print-1.jpg',angle=6,quality=70)
printed('2','DejaVuSerif.ttf',64,(80,80),(120,20,30),(235,225,200),'print-2.png',angle=-5)
printed('3','DejaVuSansMono-Bold.ttf',200,(240,260),(15,15,15),(200,200,200),'print-3.jpg',quality=40,blur=2)
printed('4','DejaVuSans-Bold.ttf',70,(96,96),(250,220,40),(40,40,40),'print-4.png')
printed('5','DejaVuSerifCondensed-Italic.ttf',130,(150,160),(0,70,60),(240,240,240),'print-5.jpg',quality=75)
printed('6','DejaVuSansCondensed.ttf',100,(110,130),(90,90,90),(160,160,160),'print-6.png',angle=8)
printed('7','DejaVuSerif-Bold.ttf',100,(128,128),(255,255,255),(160,20,20),'print-7.jpg',quality=60)
printed('8','DejaVuSans-ExtraLight.ttf',110,(120,130),(10,10,10),(255,255,255),'print-8.png')
printed('9','DejaVuSansMono.ttf',48,(64,64),(0,255,120),(5,20,10),'print-9.png',off=(3,-2))
B=(30,40,110)
written([[(110,30),(60,60),(45,120),(70,180),(120,190),(150,140),(145,75),(105,32)]],(190,220),12,B,(252,252,248),'hand-0.jpg',paper='squared',quality=85)
written([[(70,70),(105,35)],[(105,35),(98,110),(92,190)]],(180,220),10,(25,25,25),(245,240,225),'hand-1.png')
written([[(50,75),(75,35),(125,40),(130,85),(90,135),(45,180)],[(45,180),(85,170),(150,182)]],(190,220),11,B,(252,252,248),'hand-2.jpg',paper='squared',quality=60)
written([[(50,45),(100,30),(130,60),(85,100)],[(85,100),(140,125),(125,180),(50,178)]],(185,215),13,(150,30,30),(255,255,255),'hand-3.png')
written([[(85,28),(60,85),(40,130)],[(40,130),(90,125),(150,122)],[(115,80),(110,130),(104,195)]],(190,220),11,(235,235,235),(35,50,40),'hand-4.jpg',quality=70)
written([[(135,38),(95,38),(70,42)],[(70,42),(64,70),(58,98)],[(58,98),(105,88),(140,125),(115,178),(48,176)]],(190,215),10,B,(252,252,248),'hand-5.jpg',paper='squared',quality=80)
written([[(120,25),(75,75),(52,135),(75,185),(120,180),(130,140),(95,118),(58,145)]],(185,215),12,(60,60,60),(205,205,200),'hand-6.png')
written([[(45,45),(90,40),(145,42)],[(145,42),(105,110),(80,190)],[(75,110),(105,108),(135,106)]],(190,220),10,(20,20,20),(250,250,250),'hand-7.jpg',quality=50)
written([[(125,60),(90,32),(58,62),(90,100),(130,140),(95,188),(55,150),(90,105),(122,62)]],(185,220),12,(240,240,240),(20,30,60),'hand-8.png')
written([[(125,70),(95,35),(58,65),(80,108),(125,75)],[(125,72),(120,130),(108,192)]],(180,220),11,(110,60,10),(240,228,205),'hand-9.jpg',quality=75)
